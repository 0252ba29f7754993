"""API tokens: who may do what through the REST API. Only a hash of a token is kept."""

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

# vp_, 8 hexadecimal digits to find the row by, 256 random bits; ASCII only, so nothing else reaches the database
_TOKEN = re.compile(r"vp_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
_USE_IS_OLD = Q(last_used_at__isnull=True) | Q(last_used_at__lt=Now() - timedelta(minutes=1))


class Scope(models.TextChoices):
    READ = "read", "read articles and search"
    WRITE = "write", "write articles"
    OPS = "ops", "operate the queue"


def _hash(secret: str) -> str:
    # a fast hash is right here: the secret has 256 random bits, so there is nothing to guess
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self) -> Self:
        """Neither revoked nor expired, by the database's clock."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=Now()), revoked_at__isnull=True)

    def issue(
        self, name: str, scopes: list[str], expires_at: datetime | Combinable | None = None
    ) -> tuple["ApiToken", str]:
        """Makes a token; answers the row and the token's text, which can never be shown again.

        Raises ValueError for a scope that does not exist, and for none at all.
        """
        if not scopes or not set(scopes) <= set(Scope.values):
            raise ValueError(
                f"a token needs one or more of the scopes {', '.join(Scope.values)}, not {scopes}"
            )
        prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        row = self.create(
            name=name, scopes=scopes, prefix=prefix, secret_hash=_hash(secret), expires_at=expires_at
        )
        return row, f"vp_{prefix}_{secret}"

    def authenticate(self, text: str) -> "ApiToken | None":
        """The usable token with this text, if there is one; notes that it was used, once a minute at most."""
        if not (parts := _TOKEN.fullmatch(text)):
            return None
        prefix, secret = parts.groups()
        row = self.usable().filter(prefix=prefix).annotate(use_is_old=_USE_IS_OLD).first()
        if row is None or not hmac.compare_digest(row.secret_hash, _hash(secret)):
            return None
        if getattr(row, "use_is_old", True):
            row.note_use()
        return row


class ApiToken(models.Model):
    NAME_LENGTH = 100

    name = models.CharField(max_length=NAME_LENGTH, help_text="who or what uses this token")
    prefix = models.CharField(max_length=8, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope))
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="never, when empty")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        db_table = "api_tokens"

    def __str__(self) -> str:
        return f"{self.name} (vp_{self.prefix}_…)"

    def revoke(self) -> None:
        """Ends the token at once; revoking twice keeps the first time."""
        ApiToken.objects.filter(pk=self.pk, revoked_at__isnull=True).update(revoked_at=Now())

    def note_use(self) -> None:
        """Writes the time of use unless the last minute already has one."""
        ApiToken.objects.filter(_USE_IS_OLD, pk=self.pk).update(last_used_at=Now())


# Django finds a room's models by this module.
from access.sessions import Session as Session  # noqa: E402
