"""Issues, rotates and revokes tokens: each change in one transaction with the receivers of `token_changed`."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models.expressions import Combinable
from django.db.models.functions import Least, Now

from access import token_cache
from access.models import ApiToken
from access.signals import token_changed

log = structlog.get_logger(__name__)


class TokenEnded(ValueError):
    """The token was revoked or has expired, so it cannot be rotated."""

    def __init__(self, token: ApiToken) -> None:
        super().__init__(f"{token} has ended; make another with create_token")


def issue(
    name: str,
    scopes: Sequence[str],
    *,
    actor: str,
    expires_at: datetime | Combinable | None = None,
    allow_from: Sequence[str] = (),
    reason: str = "",
) -> tuple[ApiToken, str]:
    """Makes a token; returns the row and the token's text, which can never be shown again. Raises ValueError."""
    with transaction.atomic():
        row, text = ApiToken.objects.issue(
            name, sorted(scopes), expires_at, allow_from=list(allow_from), created_by=actor
        )
        _announce(row, "issued", actor, reason)
    return row, text


def revoke(token: ApiToken, *, actor: str, reason: str = "") -> bool:
    """Ends a token; returns whether it was not revoked before."""
    with transaction.atomic():
        done = token.revoke()
        if done:
            _announce(token, "revoked", actor, reason)
    return done


def rotate(
    token: ApiToken,
    *,
    actor: str,
    overlap: timedelta,
    expires_at: datetime | Combinable | None,
    keep: Callable[[str], None] | None = None,
    reason: str = "",
) -> tuple[ApiToken, str]:
    """Makes a successor with the same name, scopes and allow list; the token itself ends after `overlap` at the latest.

    `keep` is called with the successor's text before anything is committed: where it fails, nothing was done.
    Returns the successor and its text. Raises TokenEnded.
    """
    with transaction.atomic():
        token = ApiToken.objects.select_for_update().get(pk=token.pk)
        if not ApiToken.objects.usable().filter(pk=token.pk).exists():
            raise TokenEnded(token)
        row, text = ApiToken.objects.issue(
            token.name,
            token.scopes,
            expires_at,
            allow_from=token.allow_from,
            created_by=actor,
            bootstrap_line=token.bootstrap_line,
        )
        # LEAST passes over NULL: a token that never ended ends with the overlap
        ApiToken.objects.filter(pk=token.pk).update(expires_at=Least("expires_at", Now() + overlap))
        token.refresh_from_db()
        token_cache.tokens.forget()
        why = f"; {reason}" if reason else ""
        _announce(token, "rotated", actor, f"its successor is {row}{why}")
        _announce(row, "issued", actor, f"rotated from {token}{why}")
        if keep:
            keep(text)
    return row, text


def _announce(token: ApiToken, act: str, actor: str, reason: str = "") -> None:
    token_changed.send(ApiToken, token=token, act=act, actor=actor, reason=reason)
    log.info(f"API token {act}", token=token.begins_with, name=token.name, actor=actor)
