"""Forwarded headers of the proxies before us: trusted from TRUSTED_PROXIES only.

Everything after this middleware may rely on REMOTE_ADDR, which is the client's address, on X-Forwarded-Proto, and on
PROXY_USER_HEADER.
"""

import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from access import addresses

_FORWARDED = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_REAL_IP",
    "HTTP_FORWARDED",
)
_LOG_EVERY_SECONDS = 60.0

log = structlog.get_logger(__name__)

type View = Callable[[HttpRequest], HttpResponseBase]


class ForwardedMiddleware:
    """Stands before all others."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response
        self._log_from = float("-inf")

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        peer = str(request.META.get("REMOTE_ADDR", ""))
        if addresses.is_within(peer, settings.TRUSTED_PROXIES):
            forwarded_for = str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
            request.META["REMOTE_ADDR"] = addresses.behind_proxies(
                peer, forwarded_for, settings.TRUSTED_PROXIES
            )
        else:
            self._forget_forwarded(request, peer)
        return self.get_response(request)

    def _forget_forwarded(self, request: HttpRequest, peer: str) -> None:
        user = [meta_key(settings.PROXY_USER_HEADER)] if settings.PROXY_USER_HEADER else []
        said = [name for name in (*_FORWARDED, *user) if request.META.pop(name, None) is not None]
        if said and settings.PUBLIC_URL and time.monotonic() >= self._log_from:
            self._log_from = time.monotonic() + _LOG_EVERY_SECONDS
            log.warning("headers of a proxy ignored: its address is not in TRUSTED_PROXIES", peer=peer[:64])


def meta_key(header: str) -> str:
    """The key in request.META of a header."""
    return f"HTTP_{header.upper().replace('-', '_')}"
