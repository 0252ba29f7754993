"""The finding of `embed_check database` about API tokens that are about to end."""

from collections.abc import Iterator

from access.models import EXPIRING_DAYS, ApiToken
from lib.manage_command import manage
from queueops.operate.checks.finding import Finding, ok, warn

_NAMES_SHOWN = 5


def check() -> Iterator[Finding]:
    """One finding: which tokens end within EXPIRING_DAYS, by what they begin with."""
    found = list(ApiToken.objects.expiring().order_by("expires_at")[: _NAMES_SHOWN + 1])
    if not found:
        yield ok("tokens", f"none ends within {EXPIRING_DAYS} days")
        return
    named = ", ".join(f"{token.begins_with} on {token.expires_at:%Y-%m-%d}" for token in found[:_NAMES_SHOWN])
    more = " and more" if len(found) > _NAMES_SHOWN else ""
    yield warn(
        "tokens",
        f"end within {EXPIRING_DAYS} days: {named}{more}",
        f"Renew with: {manage('rotate_token ID')}. Their users need the new one.",
    )
