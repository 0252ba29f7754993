"""Authentication: reads a bearer token (RFC 6750) and returns its holder with scopes."""

import time
from dataclasses import dataclass
from typing import Any, cast

import structlog
from django.conf import settings
from django.http import HttpRequest
from ninja.errors import AuthenticationError, AuthorizationError
from ninja.security.base import AuthBase

from access import addresses, attempts, bootstrap, throttles, token_cache, token_guard, token_text
from access.addresses import Network
from access.models import ApiToken, Scope

REALM = "Vectorpress"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a token; `key` identifies callers for rate limits."""

    name: str
    scopes: frozenset[str]
    key: str


def may_read(request: HttpRequest) -> bool:
    """Whether the caller whom Bearer admitted may read articles."""
    return Scope.READ.value in cast(Any, request).auth.scopes


class TokenRefused(AuthenticationError):
    """No token, or an invalid one; `challenge` is the value of WWW-Authenticate."""

    def __init__(self, message: str, challenge: str) -> None:
        super().__init__(message=message)
        self.challenge = challenge


class ScopeMissing(AuthorizationError):
    """The token is valid but lacks the scope; `challenge` is the value of WWW-Authenticate."""

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
        address = attempts.address_of(request)
        with token_guard.guarded(header, address):
            caller = identify(header, address)
        throttles.spend(caller.key, settings.API_RATE_LIMIT)
        if self.scope not in caller.scopes:
            raise ScopeMissing(caller, self.scope)
        return caller


@dataclass(frozen=True, slots=True)
class _Identified:
    """A valid token, remembered for a second. `networks` may use it; None: every network may."""

    caller: Caller
    networks: list[Network] | None


def identify(header: str, address: str = "") -> Caller:
    """The caller that an Authorization header names, from this address. Raises TokenRefused."""
    if token_guard.is_too_long(header):
        raise TokenRefused(
            f"the header Authorization has {len(header):,} characters; at most {token_guard.MOST_CHARACTERS:,} are "
            "possible. Send 'Authorization: Bearer TOKEN'",
            f'Bearer realm="{REALM}"',
        )
    scheme, token = token_guard.parted(header)
    if scheme != "bearer" or not token:
        raise TokenRefused(
            "this request needs a token; send it in the header 'Authorization: Bearer TOKEN'",
            f'Bearer realm="{REALM}"',
        )
    key = token_text.digest(token)
    found: _Identified | None = token_cache.tokens.get(key) or _look_up(token, key)
    if found and _may_call_from(found, address):
        return found.caller
    # A stolen token used from elsewhere is refused in the same words, so that its thief learns nothing.
    raise TokenRefused(
        "the token is unknown, expired or revoked",
        f'Bearer realm="{REALM}", error="invalid_token", error_description="unknown, expired or revoked"',
    )


def _look_up(text: str, key: bytes) -> _Identified | None:
    """The token with this text, from the database; cached for a second, or until it expires."""
    asked = time.monotonic()
    row: Any = ApiToken.objects.authenticate(text)
    if row is None and bootstrap.is_text(text):
        bootstrap.ensure(actor=bootstrap.FIRST_USE)
        row = ApiToken.objects.authenticate(text)
    if row is None or not bootstrap.admits(row, text):
        return None
    if row.use_is_old:
        row.note_use()
    caller = Caller(row.name, frozenset(row.scopes), f"token:{row.pk}")
    found = _Identified(caller, _networks(row))
    left = min(token_cache.SECONDS, row.time_left.total_seconds()) if row.time_left else token_cache.SECONDS
    token_cache.tokens.put(key, found, asked + left)
    return found


def _networks(row: ApiToken) -> list[Network] | None:
    """Whether an address may use a token. An unreadable list, as SQL may write it, allows none."""
    try:
        return addresses.read_networks(row.allow_from) if row.allow_from else None
    except ValueError as error:
        log.error("the allow list of a token cannot be read", token=row.begins_with, error=str(error))
        return []


def _may_call_from(found: _Identified, address: str) -> bool:
    if found.networks is None or addresses.is_within(address, found.networks):
        return True
    log.warning(
        "a token was refused outside its allow list",
        name=found.caller.name,
        key=found.caller.key,
        address=address,
    )
    return False
