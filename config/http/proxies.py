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
    "HTTP_X_FORWARDED_PREFIX",
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
            if prefix := str(request.META.get("HTTP_X_FORWARDED_PREFIX", "")):
                self._compare_prefix(prefix)
        else:
            self._forget_forwarded(request, peer)
        return self.get_response(request)

    def _forget_forwarded(self, request: HttpRequest, peer: str) -> None:
        user = [meta_key(settings.PROXY_USER_HEADER)] if settings.PROXY_USER_HEADER else []
        said = [name for name in (*_FORWARDED, *user) if request.META.pop(name, None) is not None]
        if said and settings.PUBLIC_URL and self._may_log():
            log.warning("headers of a proxy ignored: its address is not in TRUSTED_PROXIES", peer=peer[:64])

    def _compare_prefix(self, prefix: str) -> None:
        """The path below which the site is comes from PUBLIC_URL: cookies and links need it before any request."""
        if prefix.rstrip("/") != settings.SUB_PATH and self._may_log():
            log.warning(
                "the site's links lead elsewhere: the proxy serves it below another path than PUBLIC_URL has",
                prefix=prefix[:100],
                public_url=settings.PUBLIC_URL,
            )

    def _may_log(self) -> bool:
        if time.monotonic() < self._log_from:
            return False
        self._log_from = time.monotonic() + _LOG_EVERY_SECONDS
        return True


def meta_key(header: str) -> str:
    """The key in request.META of a header."""
    return f"HTTP_{header.upper().replace('-', '_')}"
