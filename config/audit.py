"""Writes changes of API tokens to the queue's audit log, if the queue is installed."""

from typing import Any

from access.models import ApiToken
from queueops.base import installed
from queueops.models import AuditLog, Category


def token_changed(token: ApiToken, act: str, actor: str, reason: str = "", **_: Any) -> None:
    """Listens to access.signals.token_changed; the row identifies the token by its prefix and never contains its
    secret."""
    if not installed.is_there():
        return
    about = {
        "token": token.prefix,
        "name": token.name,
        "scopes": list(token.scopes),
        "allow_from": list(token.allow_from),
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
    }
    AuditLog.objects.create(
        category=Category.OPERATOR,
        actor=actor[: AuditLog._meta.get_field("actor").max_length],
        message=f"API token {act}",
        metadata={"reason": reason, "scope": about},
    )
