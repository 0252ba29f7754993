"""Admission: whether a worker may claim for a provider now, and what its batch reports to all workers; in Postgres.

A claim costs one read of the provider's row by its key; the row is written only when something changes.
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import BooleanField, ExpressionWrapper, F, Q
from django.db.models.functions import Greatest, Now

from embeddings.providers.errors import ErrorClass, ProviderError
from queueops.admission import circuit_breaker, rate_limiter
from queueops.admission.circuit_breaker import BatchVerdict, BreakerState, ProviderReading
from queueops.base import database_refusals
from queueops.models import AuditLog, Breaker, Category, Level, ProviderState, refused_steps
from queueops.models.metric import PROVIDER_STEP

_MESSAGE_CHARACTERS = 500

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Permit:
    """Permission to claim: `wait` is in seconds, 0.0 means now. `canary` is the token of the one worker that may call a
    provider whose breaker is open, with one task. `is_marked`: the row counts failures that a success must reset;
    `with_low`: low priority may be claimed as well."""

    provider: str
    wait: float = 0.0
    canary: uuid.UUID | None = None
    is_marked: bool = False
    with_low: bool = True


_ROW = """
SELECT breaker, failures > 0 OR refusals > 0,
       coalesce(extract(epoch FROM retry_at - statement_timestamp()), 0)::float8,
       coalesce(extract(epoch FROM canary_until - statement_timestamp()), 0)::float8,
       coalesce(extract(epoch FROM blocked_until - statement_timestamp()), 0)::float8,
       {calls},
       CASE WHEN day >= (statement_timestamp() AT TIME ZONE 'UTC')::date THEN tokens_today ELSE 0 END
FROM provider_states WHERE name = %s
"""
_CALLS = f"(SELECT count(*) FROM jsonb_each_text(calls) WHERE {rate_limiter.IS_LIVE_SQL})"  # noqa: S608  our own text
# calls are counted only under a limit
_READ_WITH_CALLS, _READ = _ROW.format(calls=_CALLS), _ROW.format(calls="0")
# The worker that changes the row first is the canary; a dead canary's lease ends.
_BECOME_CANARY = """
UPDATE provider_states SET
    breaker = 'half_open', canary = %(token)s,
    canary_until = statement_timestamp() + %(lease)s * interval '1 second'
WHERE name = %(name)s AND breaker <> 'closed' AND retry_at <= statement_timestamp()
  AND (canary_until IS NULL OR canary_until <= statement_timestamp())
RETURNING name
"""
_GUARD = "SELECT set_config('idle_in_transaction_session_timeout', %s, true)"


def admit(provider: str) -> Permit:
    """Returns a permit for the provider. A canary's permit must be reported (`report`) or given back (`release`);
    otherwise it blocks the other workers until its lease ends."""
    with connection.cursor() as cursor:
        cursor.execute(_READ_WITH_CALLS if settings.EMBEDDING_CALLS_IN_FLIGHT else _READ, [provider])
        row = cursor.fetchone()
    if row is None:
        return Permit(provider)
    breaker, is_marked, retry_in, canary_for, blocked_for, calls, tokens_today = row
    reading = ProviderReading(Breaker(breaker), retry_in, canary_for, blocked_for, calls)
    budget = settings.EMBEDDING_DAILY_TOKEN_BUDGET
    with_low = not budget or tokens_today < budget
    if wait := circuit_breaker.wait(reading, settings.EMBEDDING_CALLS_IN_FLIGHT):
        return Permit(provider, wait)
    if reading.breaker == Breaker.CLOSED:
        return Permit(provider, is_marked=is_marked, with_low=with_low)
    if canary := _become_canary(provider):
        return Permit(provider, canary=canary, is_marked=True, with_low=with_low)
    return Permit(provider, circuit_breaker.CANARY_LEASE_SECONDS)


def release(permit: Permit) -> None:
    """Gives a canary's permit back unused: there was nothing to send."""
    if permit.canary:
        report(permit, BatchVerdict.NONE)


def report(permit: Permit, verdict: BatchVerdict, error: ProviderError | None = None) -> bool:
    """Records a batch's verdict for all workers; returns whether the provider's breaker is not closed.

    `error` is the provider's last error, if any. Writes nothing if nothing changes.
    """
    is_refusal = error is not None and error.kind is ErrorClass.RATE_LIMITED
    if verdict is not BatchVerdict.FAILED and not is_refusal and not permit.is_marked:
        return False
    with database_refusals.named("provider_states"), transaction.atomic():
        row = _locked(permit.provider)
        is_canary = permit.canary is not None and row.canary == permit.canary
        before = BreakerState(Breaker(row.breaker), row.failures, row.openings)
        new = circuit_breaker.after(
            before, verdict, is_canary=is_canary, retry_after=error.retry_after if error else None
        )
        _write(row, before, new, is_canary, error)
    return new.breaker != Breaker.CLOSED


def _become_canary(provider: str) -> uuid.UUID | None:
    token = uuid.uuid4()
    arguments: dict[str, Any] = {
        "name": provider,
        "token": token,
        "lease": circuit_breaker.CANARY_LEASE_SECONDS,
    }
    try:
        with database_refusals.named("provider_states"), connection.cursor() as cursor:
            cursor.execute(_BECOME_CANARY, arguments)
            return token if cursor.fetchone() else None
    except DatabaseError as error:
        refused_steps.note(PROVIDER_STEP, error)
        raise


def _locked(provider: str) -> Any:
    """The provider's row, locked until the transaction ends, with `is_blocked`.

    A worker that freezes while holding it would block others that have vectors to write, so the server ends its session
    when its lease would have ended.
    """
    with connection.cursor() as cursor:
        cursor.execute(_GUARD, [str(settings.EMBEDDING_WORKER_TIMEOUT)])
    ProviderState.objects.bulk_create([ProviderState(name=provider)], ignore_conflicts=True)
    is_blocked = ExpressionWrapper(Q(blocked_until__gt=Now()), BooleanField())
    return ProviderState.objects.select_for_update().annotate(is_blocked=is_blocked).get(name=provider)


def _write(
    row: Any, before: BreakerState, new: BreakerState, is_canary: bool, error: ProviderError | None
) -> None:
    changes: dict[str, Any] = {}
    if new != before:
        changes |= {"breaker": new.breaker, "failures": new.failures, "openings": new.openings}
    if is_canary:
        changes |= {"canary": None, "canary_until": None}
    if new.retry_in is not None:
        changes["retry_at"] = _in(new.retry_in)
    if error is not None:
        changes |= {"last_error": str(error)[:_MESSAGE_CHARACTERS], "last_error_at": Now()}
    changes |= _block(row, error)
    changes |= _announce(row.name, before, new, error)
    if changes:
        ProviderState.objects.filter(pk=row.pk).update(**changes)


def _block(row: Any, error: ProviderError | None) -> dict[str, Any]:
    """A 429 blocks, longer each time in a row; any other result resets the count. 429s to several workers at once
    count as one."""
    if error is None or error.kind is not ErrorClass.RATE_LIMITED:
        return {"refusals": 0} if row.refusals and not row.is_blocked else {}
    refusals = max(row.refusals, 1) if row.is_blocked else row.refusals + 1
    seconds = circuit_breaker.block_seconds(error.retry_after, refusals)
    log.warning("provider is rate limiting", provider=row.name, seconds=round(seconds, 1))
    return {
        "refusals": refusals,
        "blocked_until": Greatest(F("blocked_until"), _in(seconds)),
    }


def _announce(
    name: str, before: BreakerState, new: BreakerState, error: ProviderError | None
) -> dict[str, Any]:
    """Writes an audit row when an outage starts or ends, not at every canary."""
    is_out, was_out = new.breaker != Breaker.CLOSED, before.breaker != Breaker.CLOSED
    if is_out and not was_out:
        cause = f" ({error})" if error else ""
        AuditLog.objects.create(
            category=Category.ENGINE,
            level=Level.ERROR,
            message=f"provider {name} is down{cause}: only canary requests are sent, its tasks wait"[
                :_MESSAGE_CHARACTERS
            ],
            metadata={"provider": name, "failures": new.failures},
        )
        return {"opened_at": Now()}
    if was_out and not is_out:
        AuditLog.objects.create(
            category=Category.ENGINE,
            message=f"provider {name} is back: its tasks run again",
            metadata={"provider": name},
        )
        return {"opened_at": None, "retry_at": None}
    return {}


def _in(seconds: float) -> Any:
    return Now() + timedelta(seconds=seconds)
