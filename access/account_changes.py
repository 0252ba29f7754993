"""A saved account that was closed, or has another password, ends its sessions: by the admin, a command or a program.

`QuerySet.update` and SQL send no signal and go around this: end the sessions with `manage.py end_sessions`.
"""

from typing import Any, cast

from django.contrib.auth.models import User
from django.http import HttpRequest

from access import sessions
from access.attempts import address_of
from access.sessions import Session, kept_key

_WATCHED = ("is_active", "password")


def name_author(user: User, request: HttpRequest) -> None:
    """Sets who changes this account, for the audit log. The author's own session continues if they change
    their own password."""
    cast(Any, user).changed_in = request  # not by vars(): request.user is lazy


def note(sender: Any, instance: User, raw: bool = False, update_fields: Any = None, **_: Any) -> None:
    """Listens to pre_save: why the sessions of the account end once it is saved."""
    is_watched = update_fields is None or set(_WATCHED) & set(update_fields)
    before = User.objects.filter(pk=instance.pk).values(*_WATCHED).first() if is_watched and not raw else None
    vars(instance)["sessions_end_for"] = _reason(before, instance) if before else ""


def end_sessions(sender: Any, instance: User, **_: Any) -> None:
    """Listens to post_save; in the transaction that saved the account."""
    reason = vars(instance).pop("sessions_end_for", "")
    request: HttpRequest | None = vars(instance).get("changed_in")
    if not reason:
        return
    rows = Session.objects.of(instance)
    if request is None:
        sessions.end(rows, name="", reason=reason)
        return
    if instance.is_active and request.user.pk == instance.pk:
        rows = rows.exclude(pk=kept_key(request.session.session_key or ""))
    sessions.end(rows, name=request.user.get_username(), address=address_of(request), reason=reason)


def _reason(before: dict[str, Any], user: User) -> str:
    if before["is_active"] and not user.is_active:
        return "the account was closed"
    return "the password was changed" if before["password"] != user.password else ""
