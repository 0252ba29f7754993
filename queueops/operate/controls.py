"""What switches the queue as a whole: operators pause, resume and reset providers."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from queueops.base.signals import tasks_ready
from queueops.engine import modes
from queueops.models import AuditLog, Breaker, Mode, ProviderState, QueueState, Task, Verb, Worker
from queueops.models.audit import needed_reason, tidy_reason
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import operations

ENVIRONMENT = "environment"  # how the audit log calls the mode that the settings ask for

# A claim that was on its way when the brakes were set is taken back in the next round.
_ROUNDS = 2


def pause(*, actor: str, reason: str) -> uuid.UUID:
    """Workers claim nothing more until `resume`; what is under way ends as usual. Returns the operation's id.

    Raises ReasonMissing.
    """
    return _switch(
        "pause",
        is_paused=True,
        said="queue paused",
        actor=actor,
        reason=needed_reason(reason),
        kept=needed_reason(reason),
    )


def resume(*, actor: str, reason: str = "") -> uuid.UUID:
    """Lets workers claim again and rings for them. Returns the operation's id."""
    return _switch(
        "resume", is_paused=False, said="queue resumed", actor=actor, reason=tidy_reason(reason), kept=""
    )


def stop(*, actor: str, reason: str) -> uuid.UUID:
    """Pauses, and stops every worker process, so that one that restarts stays stopped as well.

    Batches in progress end as usual. Returns the operation's id. Raises ReasonMissing.
    """
    return _stop("stop", "queue stopped", actor=actor, reason=reason)


def start(*, actor: str, reason: str = "") -> uuid.UUID:
    """Takes back every brake: workers claim again, at once. Returns the operation's id."""
    reason = tidy_reason(reason)
    return _switch(
        "start", is_paused=False, is_running=True, said="queue started", actor=actor, reason=reason, kept=""
    )


@dataclass(frozen=True)
class EmergencyStop:
    """The result: the id of the operation, which the audit log has for the stop and for each task, the number
    of stopped worker processes, and of tasks taken from them."""

    operation: uuid.UUID
    workers: int
    released: int


def emergency_stop(*, actor: str, reason: str) -> EmergencyStop:
    """Stops, and takes from the workers what they hold: it waits again, and what they still finish is thrown away.

    Raises ReasonMissing.
    """
    operation = _stop("emergency-stop", "emergency stop", actor=actor, reason=reason)
    released = 0
    for operation_id in (operation, *(uuid.uuid4() for _ in range(_ROUNDS - 1))):
        if Task.objects.processing().exists():
            released += _take_back(operation_id, actor=actor, reason=reason)
    return EmergencyStop(operation, Worker.objects.stopped().count(), released)


def _stop(verb: str, said: str, *, actor: str, reason: str) -> uuid.UUID:
    reason = needed_reason(reason)
    return _switch(verb, is_paused=True, is_running=False, said=said, actor=actor, reason=reason, kept=reason)


def _take_back(operation_id: uuid.UUID, *, actor: str, reason: str) -> int:
    """Releases what workers hold, under this id; returns how many tasks."""
    begun = operations.begin(
        Verb.RELEASE, TaskFilter(), actor=actor, reason=reason, operation_id=operation_id
    )
    return operations.carry_out(begun).changed


def set_mode(mode: Mode | None, *, actor: str, reason: str) -> uuid.UUID:
    """Persists how the installation runs, whatever its settings say; None: as they say again. Rings, since what was
    left behind may be worked off now. Every process sees it within modes.SECONDS. Returns the operation's id.

    Raises ReasonMissing.
    """
    reason = needed_reason(reason)
    with transaction.atomic():
        QueueState.ensure_row()
        state = QueueState.objects.select_for_update().get(pk=1)
        scope = {"verb": "mode", "from": state.mode or ENVIRONMENT, "to": mode or ENVIRONMENT}
        state.mode, state.mode_reason, state.mode_changed_by = mode or "", reason if mode else "", actor
        state.mode_changed_at = Now()
        state.save(update_fields=["mode", "mode_reason", "mode_changed_by", "mode_changed_at"])
        transaction.on_commit(modes.forget)
        tasks_ready.send(Task)
        return AuditLog.write_operation(f"mode set: {scope['to']}", actor=actor, reason=reason, scope=scope)


@dataclass(frozen=True)
class ProviderReset:
    """The result: the operation's id, and the names of the providers that were reset."""

    operation: uuid.UUID
    providers: list[str]


def reset_providers(names: Sequence[str] | None = None, *, actor: str, reason: str) -> ProviderReset:
    """Forgets outages, rate limits and calls in flight of these providers, or of all; they are asked at once.

    What was spent of today's token budget stays spent. Raises ReasonMissing.
    """
    reason = needed_reason(reason)
    with transaction.atomic():
        rows = ProviderState.objects.all() if names is None else ProviderState.objects.filter(pk__in=names)
        found = list(rows.order_by("pk").select_for_update().values_list("pk", flat=True))
        ProviderState.objects.filter(pk__in=found).update(**_WELL)
        scope = {"verb": "breaker", "providers": found}
        operation = AuditLog.write_operation("providers reset", actor=actor, reason=reason, scope=scope)
        tasks_ready.send(Task)
    return ProviderReset(operation, found)


def _switch(
    verb: str,
    *,
    is_paused: bool,
    is_running: bool | None = None,
    said: str,
    actor: str,
    reason: str,
    kept: str,
) -> uuid.UUID:
    """`is_running`, where it is given, is said to every worker process too; `said` is how the audit log has it."""
    with transaction.atomic():
        changes = {"is_paused": is_paused, "reason": kept, "changed_by": actor, "changed_at": Now()}
        QueueState.objects.update_or_create(pk=1, defaults=changes)
        scope: dict[str, Any] = {"verb": verb, "is_paused": is_paused}
        if is_running is not None:
            scope["workers"] = Worker.objects.update(is_running=is_running)
            if is_running:  # else it would count as a worker
                Worker.objects.of_no_process().delete()
        if not is_paused:
            tasks_ready.send(Task)
        return AuditLog.write_operation(said, actor=actor, reason=reason, scope=scope)


_WELL: dict[str, Any] = {
    "breaker": Breaker.CLOSED,
    "failures": 0,
    "openings": 0,
    "opened_at": None,
    "retry_at": None,
    "canary": None,
    "canary_until": None,
    "refusals": 0,
    "blocked_until": None,
    "requests_full_at": None,
    "tokens_full_at": None,
    "calls": {},
}
