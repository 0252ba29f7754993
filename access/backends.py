"""The account of a name and password, or of a proxy's header. Every password check passes the guard here."""

import time
from collections.abc import Callable
from typing import Any

import structlog
from asgiref.sync import sync_to_async
from django.contrib.auth.backends import ModelBackend, RemoteUserBackend
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from access import attempts, hashing

_LOG_EVERY_SECONDS = 60.0
_log_unknown_from = [float("-inf")]

log = structlog.get_logger(__name__)


class PasswordBackend(ModelBackend):
    """Django's backend behind the guard: every authenticate() is counted, and few hashes are computed at once."""

    @sensitive_variables("password")
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """An unknown name takes the same way as a wrong password. Raises TooManyAttempts."""
        name = username if username is not None else kwargs.get(User.USERNAME_FIELD)
        if name is None or password is None:
            return None
        check = super().authenticate
        return _guarded(
            str(name), attempts.address_of(request), lambda: check(request, username=name, password=password)
        )

    async def aauthenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """The same way: Django's own asynchronous one would go around the guard."""
        return await sync_to_async(self.authenticate)(request, username, password, **kwargs)


class ProxyUserBackend(RemoteUserBackend):
    """Lets in whom a trusted proxy names, if there is an active account of exactly that name; makes no accounts."""

    create_unknown_user = False

    def authenticate(self, request: HttpRequest | None, remote_user: str) -> User | None:  # type: ignore[override]
        """None if there is no such account, which is logged once per minute."""
        user = super().authenticate(request, remote_user=remote_user)
        if user is None and time.monotonic() >= _log_unknown_from[0]:
            _log_unknown_from[0] = time.monotonic() + _LOG_EVERY_SECONDS
            log.warning("the proxy names a person without an active account", name=remote_user[:150])
        return user


@sensitive_variables("password")
def is_password_of(user: User, password: str, request: HttpRequest | None) -> bool:
    """Whether this is the signed-in user's password, on a page that asks for it again. Raises TooManyAttempts."""
    return bool(
        _guarded(user.get_username(), attempts.address_of(request), lambda: user.check_password(password))
    )


def _guarded[T](name: str, address: str, check: Callable[[], T]) -> T:
    attempt = attempts.begin(attempts.PASSWORD, name, address)
    try:
        with hashing.slot():
            found = check()
    except BaseException:
        attempt.withdrawn()
        raise
    if found:
        attempt.succeeded()
    else:
        attempt.failed()
    return found
