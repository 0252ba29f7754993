"""One row per provider: its circuit breaker and rate limits, shared by all workers."""

from typing import Any

from django.db import models
from django.db.models import Q, Value


class Breaker(models.TextChoices):
    CLOSED = "closed"  # called as usual
    OPEN = "open"  # not called until retry_at
    HALF_OPEN = "half_open"  # one worker calls with one task


def _no_calls() -> dict[str, Any]:
    return {}


class ProviderState(models.Model):
    """Created when there is something to store; a provider without a row is well. `name` is the kind of provider that
    spaces name: the settings give each kind one address and one key."""

    name = models.CharField(max_length=32, primary_key=True)
    breaker = models.CharField(
        max_length=16, choices=Breaker, default=Breaker.CLOSED, db_default=Breaker.CLOSED
    )
    failures = models.PositiveIntegerField(default=0, db_default=0, help_text="batches in a row that failed")
    openings = models.PositiveIntegerField(
        default=0, db_default=0, help_text="times opened since it last answered"
    )
    opened_at = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True, help_text="when the next canary may go")
    canary = models.UUIDField(null=True, blank=True, help_text="the token of the worker that asks for all")
    canary_until = models.DateTimeField(null=True, blank=True)
    refusals = models.PositiveIntegerField(
        default=0, db_default=0, help_text="batches in a row answered with 429"
    )
    blocked_until = models.DateTimeField(
        null=True, blank=True, help_text="rate limit: nobody asks before this"
    )
    last_error = models.TextField(blank=True, default="", db_default="")
    last_error_at = models.DateTimeField(null=True, blank=True)
    # the limiter's: when each bucket will be full again, the calls in flight (token → end of lease, seconds since
    # 1970), and the tokens of one UTC day
    requests_full_at = models.DateTimeField(null=True, blank=True)
    tokens_full_at = models.DateTimeField(null=True, blank=True)
    calls = models.JSONField(default=_no_calls, blank=True, db_default=Value({}, models.JSONField()))
    day = models.DateField(null=True, blank=True)
    tokens_today = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "provider_states"
        constraints = [
            models.CheckConstraint(
                condition=Q(breaker__in=Breaker.values), name="provider_states_known_breaker"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.breaker.replace('_', ' ')})"
