"""What operators do to tasks: requeue and cancel, each one transaction with its audit rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Subquery
from django.db.models.functions import Now

from articles.models import Article
from embeddings.models import Space
from queueops.models import AuditLog, Status, Task
from queueops.models.task import TaskQuerySet
from queueops.signals import tasks_ready

# One act is one transaction: enough for an afternoon's failures, small enough to be over in a second.
MAX_TASKS = 10_000
MAX_REASON = 500
REQUEUEABLE = [Status.FAILED, Status.CANCELLED]
CANCELLABLE = [Status.PENDING, Status.PROCESSING]
_TRIES = 3


class ReasonMissing(ValueError):
    """An act without a reason."""

    def __init__(self) -> None:
        super().__init__("give a reason: whoever reads the audit log later will ask for it")


@dataclass(frozen=True)
class Operation:
    """What an act did. `changed` tasks were acted on and `skipped` ones could not be; `left` says that more tasks
    match than one act takes, so the same act can be done again."""

    id: UUID
    verb: str
    changed: int
    skipped: int
    left: bool


def requeue(tasks: TaskQuerySet, *, actor: str, reason: str, limit: int = MAX_TASKS) -> Operation:
    """Makes failed and cancelled tasks pending again, with all their attempts, and rings for them.

    Skipped are tasks in another status, of a retired space, and those whose article already has a pending task
    in that space. Raises ReasonMissing.
    """
    return _operate("requeued", _requeue, tasks.filter(status__in=REQUEUEABLE), actor, reason, limit)


def cancel(tasks: TaskQuerySet, *, actor: str, reason: str, limit: int = MAX_TASKS) -> Operation:
    """Cancels pending and processing tasks; a worker that holds one finds its token gone and writes nothing.

    Tasks in another status are skipped. Raises ReasonMissing.
    """
    return _operate("cancelled", _cancel, tasks.filter(status__in=CANCELLABLE), actor, reason, limit)


def _operate(
    verb: str,
    act: Callable[[list[int], str], list[int]],
    tasks: TaskQuerySet,
    actor: str,
    reason: str,
    limit: int,
) -> Operation:
    reason = " ".join(reason.split())[:MAX_REASON]
    if not reason:
        raise ReasonMissing
    # in the order of their ids, so that two operators at once wait for each other instead of deadlocking
    wanted = list(tasks.order_by("pk").values_list("pk", flat=True)[: limit + 1])
    left, wanted = len(wanted) > limit, wanted[:limit]
    with transaction.atomic():
        changed = act(wanted, f"{verb} by {actor}: {reason}")
        operation = AuditLog.write_operation(
            f"tasks {verb}",
            actor=actor,
            reason=reason,
            scope={"verb": verb, "wanted": len(wanted), "changed": len(changed), "left": left},
            task_ids=changed,
        )
    return Operation(operation, verb, len(changed), len(wanted) - len(changed), left)


def _requeue(wanted: list[int], _why: str) -> list[int]:
    """The pending task that an editor's save makes between our look and our write is a reason to look again."""
    for tries_left in reversed(range(_TRIES)):
        try:
            with transaction.atomic():
                changed = _make_pending(wanted)
        except IntegrityError:
            if not tries_left:
                raise
        else:
            break
    if changed:
        tasks_ready.send(Task)
    return changed


def _make_pending(wanted: list[int]) -> list[int]:
    locked = _lock(wanted, REQUEUEABLE)
    already_waits = Task.objects.pending().filter(article=OuterRef("article"), space=OuterRef("space"))
    one_each = (
        Task.objects.filter(pk__in=locked, space__in=Space.objects.receiving().order_by())
        .exclude(Exists(already_waits))
        .order_by("article", "space", "-pk")
        .distinct("article", "space")
    )
    chosen = sorted(one_each.values_list("pk", flat=True))
    present = Article.objects.filter(
        pk=OuterRef("article_id")
    )  # its text may be newer than the one that failed
    Task.objects.filter(pk__in=chosen).update(
        **_UNHELD,
        status=Status.PENDING,
        attempts=0,
        scheduled_at=Now(),
        completed_at=None,
        processed_at=None,
        source_version=Subquery(present.values("version_number")),
        content_hash=Subquery(present.values("content_hash")),
        outcome="",
        error_class="",
        error_message="",
    )
    return chosen


def _cancel(wanted: list[int], why: str) -> list[int]:
    locked = _lock(wanted, CANCELLABLE)
    Task.objects.filter(pk__in=locked).update(
        **_UNHELD, status=Status.CANCELLED, completed_at=Now(), error_message=why
    )
    return locked


def _lock(wanted: list[int], statuses: list[Status]) -> list[int]:
    """Those of the tasks that still have one of these statuses, ours until the transaction ends."""
    rows = (
        Task.objects.filter(pk__in=wanted, status__in=statuses).order_by("pk").select_for_update(of=("self",))
    )
    return list(rows.values_list("pk", flat=True))


_UNHELD: dict[str, Any] = {"claim_token": None, "lease_expires_at": None, "claimed_by": ""}
