"""API tokens: who may do what through the REST API. Only a hash of a token is kept."""

import hmac
from datetime import datetime, timedelta
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Case, DurationField, ExpressionWrapper, F, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from access import addresses, token_cache, token_text

# the name of the token that AUTH_TOKEN holds, also as the author of what it writes
BOOTSTRAP_NAME = "AUTH_TOKEN"
EXPIRING_DAYS = 14
# A time ahead of now was written by a clock that has stepped back since.
_USE_IS_OLD = Q(last_used_at__isnull=True) | ~Q(last_used_at__range=(Now() - timedelta(minutes=1), Now()))
_TIME_LEFT = ExpressionWrapper(F("expires_at") - Now(), DurationField())


class Scope(models.TextChoices):
    READ = "read", "read articles and search"
    WRITE = "write", "write and delete articles, without reading them"
    OPS = "ops", "operate the queue"


class State(models.TextChoices):
    USABLE = "usable"
    EXPIRING = "expiring"  # usable, and ends within EXPIRING_DAYS
    EXPIRED = "expired"
    REVOKED = "revoked"


def check_name(name: str) -> None:
    """Raises ValidationError unless it is one printable line that no other kind of caller has."""
    if not 1 <= len(name.strip()) <= ApiToken.NAME_LENGTH or not name.isprintable():
        raise ValidationError(f"the name must be 1 to {ApiToken.NAME_LENGTH} printable characters")
    if name.strip() == BOOTSTRAP_NAME:
        raise ValidationError(f"the name {BOOTSTRAP_NAME} belongs to the token in that setting")


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self) -> Self:
        """Neither revoked nor expired, by the database's clock."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=Now()), revoked_at__isnull=True)

    def expiring(self) -> Self:
        """Usable tokens that end within EXPIRING_DAYS."""
        return self.usable().filter(expires_at__lte=Now() + timedelta(days=EXPIRING_DAYS))

    def with_state(self) -> Self:
        """Each row's `state`, one of State, by the database's clock."""
        return self.annotate(
            state=Case(
                When(revoked_at__isnull=False, then=Value(State.REVOKED.value)),
                When(expires_at__lte=Now(), then=Value(State.EXPIRED.value)),
                When(expires_at__lte=Now() + timedelta(days=EXPIRING_DAYS), then=Value(State.EXPIRING.value)),
                default=Value(State.USABLE.value),
            )
        )

    def issue(
        self, name: str, scopes: list[str], expires_at: datetime | Combinable | None = None, **fields: Any
    ) -> tuple["ApiToken", str]:
        """Makes a token; returns the row and the token's text, which can never be shown again.

        Raises ValueError for a scope that does not exist, and for none at all.
        """
        text = token_text.make()
        return self.record(text, name=name, scopes=scopes, expires_at=expires_at, **fields), text

    def record(self, text: str, *, scopes: list[str], **fields: Any) -> "ApiToken":
        """Makes the row of a token with this text. Raises ValueError as `issue`, and for a text that is too short."""
        if not scopes or not set(scopes) <= set(Scope.values):
            raise ValueError(
                f"a token needs one or more of the scopes {', '.join(Scope.values)}, not {scopes}"
            )
        if (mark := token_text.fingerprint(text)) is None:
            raise ValueError("the text is too short for a token")
        return self.create(prefix=mark.prefix, secret_hash=mark.secret_hash, scopes=scopes, **fields)

    def with_text(self, text: str) -> "ApiToken | None":
        """The token with this text, whatever its state; it has `use_is_old` and `time_left`."""
        if (mark := token_text.fingerprint(text)) is None:
            return None
        row = self.filter(prefix=mark.prefix).annotate(use_is_old=_USE_IS_OLD, time_left=_TIME_LEFT).first()
        return row if row and hmac.compare_digest(row.secret_hash, mark.secret_hash) else None

    def authenticate(self, text: str) -> "ApiToken | None":
        """The usable token with this text, if there is one; as `with_text`."""
        return self.usable().with_text(text)


class ApiToken(models.Model):
    """`bootstrap_line` is set on the rows of AUTH_TOKEN: a token and those it was rotated to share it."""

    NAME_LENGTH = 100

    name = models.CharField(
        max_length=NAME_LENGTH, validators=[check_name], help_text="who or what uses this token"
    )
    prefix = models.CharField(max_length=token_text.PREFIX_LENGTH, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope))
    allow_from = ArrayField(
        models.CharField(max_length=addresses.MOST_CHARACTERS),
        default=list,
        db_default=[],
        blank=True,
        help_text="addresses and networks that may use it; everywhere, when empty",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.CharField(max_length=150, blank=True, default="", db_default="", editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="never, when empty")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    bootstrap_line = models.UUIDField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        db_table = "api_tokens"
        verbose_name = "API token"
        verbose_name_plural = "API tokens"

    def __str__(self) -> str:
        return f"{self.name} ({self.begins_with})"

    @property
    def begins_with(self) -> str:
        """Identifies the token. The text of AUTH_TOKEN need not begin with its prefix."""
        return self.prefix if self.bootstrap_line else f"vp_{self.prefix}_…"

    def revoke(self) -> bool:
        """Ends the token at once; revoking twice keeps the first time. Returns whether this call did it."""
        done = ApiToken.objects.filter(pk=self.pk, revoked_at__isnull=True).update(revoked_at=Now())
        token_cache.tokens.forget()
        return bool(done)

    def note_use(self) -> None:
        """Writes the time of use unless the last minute already has one."""
        ApiToken.objects.filter(_USE_IS_OLD, pk=self.pk).update(last_used_at=Now())


# Django finds a room's models by this module.
from access.sessions import Session as Session  # noqa: E402
