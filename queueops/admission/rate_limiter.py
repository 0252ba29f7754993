"""Limits of a provider across all processes: requests and tokens per minute, calls in flight, tokens per day.

The buckets follow the Generic Cell Rate Algorithm (ITU-T I.371, annex A): the row stores when each will be full again.
One statement reserves before a call; without a limit in the settings no statement is sent.
"""

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from embeddings.indexing.metering import FREE, Meter
from embeddings.providers.errors import NotAskedError
from lib import database_connection
from queueops.base import database_refusals
from queueops.base.database_refusals import Blame
from queueops.models import ProviderState, refused_steps
from queueops.models.metric import BUDGET_STEP

log = structlog.get_logger(__name__)

MINUTE = 60.0
# A bucket holds a tenth of a minute's budget and refills with the other nine tenths in a minute, so that no period of
# one minute exceeds the whole.
_BURST_SHARE = 0.1
# A call's slot outlives the longest possible call; only a killed worker leaves it to expire.
_SLOT_SECONDS = 150.0


class OverBudgetError(NotAskedError):
    """Our own limit is reached; `retry_after` is in seconds."""

    def __init__(self, provider: str, seconds: float) -> None:
        super().__init__(f"the budget for {provider} is spent for {seconds:.1f} s", seconds)


@dataclass(frozen=True)
class Bucket:
    """A budget per minute as a bucket, in seconds: `unit` refills one unit, `depth` refills all."""

    unit: float = 0.0
    depth: float = 1e9

    @classmethod
    def of(cls, per_minute: int) -> "Bucket":
        """The bucket for a budget; unlimited for 0."""
        if not per_minute:
            return cls()
        burst = max(per_minute * _BURST_SHARE, 1.0)
        unit = MINUTE / (per_minute * (1 - _BURST_SHARE))
        return cls(unit, burst * unit)

    def cost(self, units: int) -> float:
        """Seconds by which taking `units` delays the time at which the bucket is full."""
        return units * self.unit

    def needs(self, units: int) -> float:
        """Seconds' worth that must be in the bucket: all of it, if `units` exceed its size."""
        return min(self.cost(units), self.depth)


_NOW = "clock_timestamp()"
# A slot that ends later than it can last was written while the clock was ahead.
IS_LIVE_SQL = f"value::float8 - extract(epoch FROM {_NOW})::float8 BETWEEN 0 AND {_SLOT_SECONDS}"
"""Of an entry of `calls`: it is in flight."""
_LIVE = f"""(
    SELECT coalesce(jsonb_object_agg(key, value), '{{}}') FROM jsonb_each(calls) WHERE {IS_LIVE_SQL}
)"""  # noqa: S608  the only text put in is our own
# Tokens counted under a future day, while the clock was ahead, were paid for all the same.
_TODAY = f"({_NOW} AT TIME ZONE 'UTC')::date"


def _wait(column: str, name: str) -> str:
    """SQL for the seconds until a bucket holds enough; negative: it does."""
    return f"extract(epoch FROM GREATEST({column}, {_NOW}) - {_NOW})::float8 + %({name}_need)s - %({name}_depth)s"


_WAIT = f"GREATEST({_wait('requests_full_at', 'request')}, {_wait('tokens_full_at', 'token')})"
_RESERVE = f"""
UPDATE provider_states SET
    requests_full_at = GREATEST(requests_full_at, {_NOW}) + %(request_cost)s * interval '1 second',
    tokens_full_at = GREATEST(tokens_full_at, {_NOW}) + %(token_cost)s * interval '1 second',
    calls = {_LIVE} || CASE WHEN %(slots)s = 0 THEN '{{}}'::jsonb ELSE
        jsonb_build_object(%(token)s::text, extract(epoch FROM {_NOW}) + %(lease)s) END,
    tokens_today = %(tokens)s + CASE WHEN day >= {_TODAY} THEN tokens_today ELSE 0 END,
    day = {_TODAY}
WHERE name = %(name)s AND {_WAIT} <= 0
  AND (%(slots)s = 0 OR (SELECT count(*) FROM jsonb_object_keys({_LIVE})) < %(slots)s)
"""  # noqa: S608  the only text put in is our own
# A refusal holds for all workers until then, so that each need not try for itself.
_REFUSE = f"""
UPDATE provider_states SET
    blocked_until = GREATEST(blocked_until, {_NOW} + ({_WAIT}) * interval '1 second')
WHERE name = %(name)s
RETURNING ({_WAIT})::float8
"""  # noqa: S608  the only text put in is our own
_RELEASE = "UPDATE provider_states SET calls = calls - %s::text WHERE name = %s"


@dataclass(frozen=True)
class Limits:
    """The limits of the settings; 0 means unlimited."""

    requests: Bucket
    tokens: Bucket
    slots: int
    most_tokens: int


@dataclass(frozen=True)
class Limiter:
    """The meter of a provider that has limits."""

    provider: str
    limits: Limits

    @property
    def most_tokens(self) -> int:
        """The maximum number of tokens per request."""
        return self.limits.most_tokens

    @contextlib.contextmanager
    def call(self, tokens: int) -> Iterator[None]:
        """Reserves one request with `tokens` for the length of the context.

        Raises OverBudgetError, or NotAskedError if the database does not respond: with both, the batch keeps the
        vectors it has so far.
        """
        token = uuid.uuid4()
        try:
            with database_refusals.named("provider_states"):
                self._reserve(token, tokens)
        except (DatabaseError, InterfaceError) as error:
            refused_steps.note(BUDGET_STEP, error)
            refusal = database_refusals.of(error)
            reason = "the database is away" if refusal.blame is Blame.CONNECTION else refusal.reason
            raise NotAskedError(f"the budget for {self.provider} is unknown: {reason}") from error
        finally:
            database_connection.release()
        try:
            yield
        finally:
            if self.limits.slots:
                self._release(token)

    def _reserve(self, token: uuid.UUID, tokens: int) -> None:
        arguments = self._arguments(token, tokens)
        with connection.cursor() as cursor:
            cursor.execute(_RESERVE, arguments)
            if cursor.rowcount:
                return
        ProviderState.objects.bulk_create([ProviderState(name=self.provider)], ignore_conflicts=True)
        with connection.cursor() as cursor:
            cursor.execute(_RESERVE, arguments)
            if not cursor.rowcount:
                cursor.execute(_REFUSE, arguments)
                (seconds,) = cursor.fetchone() or (0.0,)
                raise OverBudgetError(self.provider, max(seconds, 0.0))

    def _release(self, token: uuid.UUID) -> None:
        """Releases a slot; if that fails it expires with its lease, and the vectors just paid for are kept."""
        try:
            with connection.cursor() as cursor:
                cursor.execute(_RELEASE, [token, self.provider])
        except (DatabaseError, InterfaceError) as error:
            log.warning("slot not released; it expires by itself", error=type(error).__name__)
        finally:
            database_connection.release()

    def _arguments(self, token: uuid.UUID, tokens: int) -> dict[str, Any]:
        requests, per_token = self.limits.requests, self.limits.tokens
        return {
            "name": self.provider,
            "token": str(token),
            "tokens": tokens,
            "slots": self.limits.slots,
            "lease": _SLOT_SECONDS,
            "request_cost": requests.cost(1),
            "request_need": requests.needs(1),
            "request_depth": requests.depth,
            "token_cost": per_token.cost(tokens),
            "token_need": per_token.needs(tokens),
            "token_depth": per_token.depth,
        }


def meter(provider: str) -> Meter:
    """The meter for calls to a provider: a limiter if the settings set any limit, else a free one."""
    tokens_per_minute = settings.EMBEDDING_TOKENS_PER_MINUTE
    slots = settings.EMBEDDING_CALLS_IN_FLIGHT
    if not (
        settings.EMBEDDING_REQUESTS_PER_MINUTE
        or tokens_per_minute
        or slots
        or settings.EMBEDDING_DAILY_TOKEN_BUDGET
    ):
        return FREE
    limits = Limits(
        requests=Bucket.of(settings.EMBEDDING_REQUESTS_PER_MINUTE),
        tokens=Bucket.of(tokens_per_minute),
        slots=slots,
        # a request larger than the bucket would overdraw it
        most_tokens=max(int(tokens_per_minute * _BURST_SHARE), 1) if tokens_per_minute else FREE.most_tokens,
    )
    return Limiter(provider, limits)
