"""Sessions of people who signed in, as rows that can be listed and ended. The key itself is kept as a hash only."""

import hashlib
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone

from access import signals
from access.attempts import address_of

# Session data that its row has columns for.
BEGAN, ADDRESS, AGENT = "began_at", "address", "agent"
_AGENT_LENGTH = 200
# or ahead of now, as a clock wrote that has stepped back since
_SEEN_LONG_AGO = ~Q(seen_at__range=(Now() - timedelta(minutes=1), Now()))
_REMOVED_PER_SIGN_IN = 500


def kept_key(session_key: str) -> str:
    """The stored form of a key: a reader of it, or of a backup, cannot use the session. The key has 165 random
    bits, so a fast hash is right."""
    return hashlib.sha256(session_key.encode("utf-8", "replace")).hexdigest()


class SessionQuerySet(models.QuerySet["Session"]):
    def living(self) -> Self:
        """Neither past their end nor idle for too long, by the database's clock."""
        rows = self.filter(expire_date__gt=Now())
        if not settings.STAFF_IDLE_MINUTES:
            return rows
        idle = timedelta(minutes=settings.STAFF_IDLE_MINUTES)
        return rows.filter(Q(user__isnull=True) | Q(seen_at__gt=Now() - idle))

    def of(self, user: User | AnonymousUser) -> Self:
        """The sessions of this person; none for None."""
        return self.filter(user_id=user.pk) if user.pk else self.none()

    def to_use(self, session_key: str) -> "Session | None":
        """The live session with this key; its use is recorded at most once per minute."""
        rows = self.living().annotate(seen_is_old=ExpressionWrapper(_SEEN_LONG_AGO, BooleanField()))
        row = rows.filter(pk=kept_key(session_key)).first()
        if row is not None and getattr(row, "seen_is_old", True):
            row.note_seen()
        return row

    def signed_in(self) -> Self:
        """Sessions that have not ended and belong to a person."""
        return self.living().filter(user__isnull=False)


class Session(AbstractBaseSession):
    session_key = models.CharField(max_length=64, primary_key=True, editable=False)
    user = models.ForeignKey(User, null=True, editable=False, on_delete=models.CASCADE, related_name="+")
    began_at = models.DateTimeField(editable=False, db_default=Now())
    seen_at = models.DateTimeField(editable=False, db_default=Now())
    address = models.CharField(max_length=64, editable=False, default="", db_default="")
    agent = models.CharField(max_length=_AGENT_LENGTH, editable=False, default="", db_default="")

    objects = SessionQuerySet.as_manager()  # type: ignore[assignment, misc]

    class Meta(AbstractBaseSession.Meta):
        db_table = "sign_in_sessions"
        verbose_name = "session"
        verbose_name_plural = "sessions"

    def __str__(self) -> str:
        return f"{self.user or 'nobody'}, since {self.began_at:%Y-%m-%d %H:%M}"

    def note_seen(self) -> None:
        """Writes that the session is in use unless the last minute already has."""
        Session.objects.filter(_SEEN_LONG_AGO, pk=self.pk).update(seen_at=Now())


def describe(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """Listens to user_logged_in: the session stores where it began, and ends SESSION_COOKIE_AGE
    later. Sessions that have ended are removed by the way, a bounded number of them."""
    now = timezone.now()
    request.session[BEGAN] = now.isoformat()
    request.session[ADDRESS] = address_of(request)[:64]
    request.session[AGENT] = printable(request.META.get("HTTP_USER_AGENT", ""), _AGENT_LENGTH)
    request.session.set_expiry(now + timedelta(seconds=settings.SESSION_COOKIE_AGE))
    remove_ended()


def remove_ended() -> None:
    """Removes the rows of sessions that have ended."""
    living = Session.objects.living().filter(pk=OuterRef("pk"))
    ended = Session.objects.filter(~Exists(living)).values("pk")[:_REMOVED_PER_SIGN_IN]
    Session.objects.filter(pk__in=list(ended.values_list("pk", flat=True))).delete()


def end(rows: models.QuerySet[Session], *, name: str, address: str = "", reason: str = "") -> int:
    """Ends sessions at once; `name` is who does it. Returns how many of people were ended."""
    owners = sorted(set(rows.filter(user__isnull=False).values_list("user__username", flat=True)))
    _, kinds = rows.delete()
    count = kinds.get(Session._meta.label, 0)
    if count:
        whose = ", ".join(owners[:10]) + (f" and {len(owners) - 10} more" if len(owners) > 10 else "")
        signals.sessions_ended.send(None, name=name, address=address, whose=whose, count=count, reason=reason)
    return count


def printable(text: str, length: int) -> str:
    """Foreign text, of bounded length and without characters that move or hide others."""
    return "".join(c if c.isprintable() else "?" for c in text[:length])
