"""Who is calling: reads a bearer token (RFC 6750) and says what its holder may do."""

import hmac
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from ninja.errors import AuthenticationError, AuthorizationError
from ninja.security.base import AuthBase

from access import attempts, throttles, token_guard
from access.models import ApiToken, Scope

REALM = "Vectorpress"
_BOOTSTRAP_NAME = "AUTH_TOKEN"


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a token; `key` tells callers apart for rate limits."""

    name: str
    scopes: frozenset[str]
    key: str


class TokenRefused(AuthenticationError):
    """No token, or none that can be used; `challenge` is what WWW-Authenticate must say."""

    def __init__(self, message: str, challenge: str) -> None:
        super().__init__(message=message)
        self.challenge = challenge


class ScopeMissing(AuthorizationError):
    """The token is good but not for this; `challenge` is what WWW-Authenticate must say."""

    def __init__(self, caller: Caller, scope: str) -> None:
        super().__init__(
            message=f"the token '{caller.name}' lacks the scope '{scope}', which this request needs"
        )
        self.challenge = f'Bearer realm="{REALM}", error="insufficient_scope", scope="{scope}"'


class Bearer(AuthBase):
    """Admits a request whose token has a scope; for ninja's `auth=`. The caller is `request.auth` afterwards."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(self, scope: Scope) -> None:
        self.scope = scope.value
        super().__init__()

    def __call__(self, request: HttpRequest) -> Caller:
        """Raises TokenRefused, ScopeMissing, TooManyAttempts or ninja's Throttled."""
        header = str(request.META.get("HTTP_AUTHORIZATION", ""))
        with token_guard.guarded(header, attempts.address_of(request)):
            caller = identify(header)
        throttles.spend(caller.key, settings.API_RATE_LIMIT)
        if self.scope not in caller.scopes:
            raise ScopeMissing(caller, self.scope)
        return caller


def identify(header: str) -> Caller:
    """The caller that an Authorization header names. Raises TokenRefused."""
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise TokenRefused(
            "this request needs a token; send it in the header 'Authorization: Bearer TOKEN'",
            f'Bearer realm="{REALM}"',
        )
    if _is_bootstrap(token):
        return Caller(_BOOTSTRAP_NAME, frozenset(Scope.values), "bootstrap")
    if row := ApiToken.objects.authenticate(token):
        return Caller(row.name, frozenset(row.scopes), f"token:{row.pk}")
    raise TokenRefused(
        "the token is unknown, expired or revoked",
        f'Bearer realm="{REALM}", error="invalid_token", error_description="unknown, expired or revoked"',
    )


def _is_bootstrap(token: str) -> bool:
    # bytes, since compare_digest takes no other text than ASCII
    return bool(settings.AUTH_TOKEN) and hmac.compare_digest(
        token.encode("utf-8", "replace"), settings.AUTH_TOKEN.encode()
    )
