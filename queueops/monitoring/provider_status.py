"""The current state of each provider: breaker, limits and last error."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection

from queueops.admission import rate_limiter
from queueops.models import Breaker


@dataclass(frozen=True)
class ProviderStatus:
    """Spans are in seconds, None if there is none. `calls` and `tokens_today` are counted only under a limit;
    `is_spent`: today's token budget is spent, so low priority waits until tomorrow (UTC). `is_beside`: only spaces that
    do not serve use it, so searches and their freshness do not depend on it."""

    name: str
    breaker: str = Breaker.CLOSED.value
    failures: int = 0
    out_for: float | None = None
    retry_in: float | None = None
    blocked_for: float | None = None
    last_error: str = ""
    last_error_at: datetime | None = None
    calls: int = 0
    tokens_today: int = 0
    is_spent: bool = False
    is_beside: bool = False

    @property
    def is_out(self) -> bool:
        """Whether only canary requests are sent to it."""
        return self.breaker != Breaker.CLOSED

    @property
    def is_held(self) -> bool:
        """Whether it may not be called as usual right now."""
        return self.is_out or bool(self.blocked_for)


# Every provider of a space that is not retired, and every other with a row.
_ALL = f"""
SELECT n.name, coalesce(p.breaker, 'closed'), coalesce(p.failures, 0),
       extract(epoch FROM statement_timestamp() - p.opened_at)::float8,
       GREATEST(extract(epoch FROM GREATEST(p.retry_at, p.canary_until) - statement_timestamp()), 0)::float8,
       CASE WHEN p.blocked_until > statement_timestamp()
            THEN extract(epoch FROM p.blocked_until - statement_timestamp())::float8 END,
       coalesce(p.last_error, ''), p.last_error_at,
       (SELECT count(*) FROM jsonb_each_text(p.calls) WHERE {rate_limiter.IS_LIVE_SQL}),
       CASE WHEN p.day >= (statement_timestamp() AT TIME ZONE 'UTC')::date THEN p.tokens_today ELSE 0 END,
       (SELECT bool_and(s.state <> 'serving') FROM embedding_spaces s
        WHERE s.provider = n.name AND s.state <> 'retired')
FROM (SELECT provider AS name FROM embedding_spaces WHERE state <> 'retired'
      UNION SELECT name FROM provider_states) n
LEFT JOIN provider_states p ON p.name = n.name
ORDER BY n.name
"""  # noqa: S608  the only text put in is our own


def views() -> tuple[ProviderStatus, ...]:
    """Every provider in use or with a row, by name."""
    with connection.cursor() as cursor:
        cursor.execute(_ALL)
        return tuple(_view(*row) for row in cursor.fetchall())


def _view(
    name: str,
    breaker: str,
    failures: int,
    out_for: float | None,
    retry_in: float,
    blocked_for: float | None,
    last_error: str,
    last_error_at: datetime | None,
    calls: int,
    tokens_today: int,
    is_beside: bool | None,
) -> ProviderStatus:
    is_out = breaker != Breaker.CLOSED
    budget = settings.EMBEDDING_DAILY_TOKEN_BUDGET
    return ProviderStatus(
        name=name,
        breaker=breaker,
        failures=failures,
        out_for=out_for if is_out else None,
        retry_in=retry_in if is_out else None,
        blocked_for=blocked_for,
        last_error=last_error,
        last_error_at=last_error_at,
        calls=calls,
        tokens_today=tokens_today,
        is_spent=bool(budget) and tokens_today >= budget,
        is_beside=bool(is_beside),
    )
