"""Middleware that only pages with a person before them need: files, session, login, messages, the protection of forms.

Callers of the API bring a token; what these would look up for them, nothing reads.
"""

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import middleware as auth
from django.http import HttpRequest, HttpResponseBase, HttpResponseForbidden
from django.middleware import csrf

from config.http.api_security_headers import ApiSafety
from config.http.proxies import meta_key

type View = Callable[[HttpRequest], HttpResponseBase]

_API = "/api"
_behind_the_end: list[View] = []  # filled by `end`, emptied by `begin`, while Django builds the chain
# Pages that need a person while PUBLIC_SEARCH is off; the admin always needs one.
_PUBLIC = re.compile(r"/(search|articles/.*)?", re.DOTALL)


def _is_api(request: HttpRequest) -> bool:
    return request.path_info == _API or request.path_info.startswith(f"{_API}/")


def _needs_person(request: HttpRequest) -> bool:
    path = request.path_info
    if path == "/admin" or path.startswith("/admin/"):
        return True
    return not settings.PUBLIC_SEARCH and bool(_PUBLIC.fullmatch(path))


def begin(get_response: View) -> View:
    """Stands before the middleware of pages. A call of the API continues behind `end`, with what it needs of them."""
    of_api = ApiSafety(_behind_the_end.pop(), get_response)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        return of_api(request) if _is_api(request) else get_response(request)

    return middleware


def end(get_response: View) -> View:
    """Stands behind the middleware of pages. Django builds the chain from its end, so `begin` finds this one's rest."""
    _behind_the_end.append(get_response)
    return get_response


class CsrfViewMiddleware(csrf.CsrfViewMiddleware):
    def process_view(self, request: HttpRequest, *args: Any) -> HttpResponseForbidden | None:
        """Nothing under /api goes by a cookie; what is not there is not found, rather than refused."""
        return None if _is_api(request) else super().process_view(request, *args)


class ProxyUserMiddleware(auth.RemoteUserMiddleware):
    """Signs in whom a trusted proxy names in PROXY_USER_HEADER (config/http/proxies.py forgets it of all others), and
    out
    once it names no one or another person: on pages that need a person. Elsewhere a program without cookies would sign
    in with each request."""

    def process_request(self, request: HttpRequest) -> None:
        if settings.PROXY_USER_HEADER and _needs_person(request):
            super().process_request(request)

    def get_username(self, request: HttpRequest) -> str:
        """Raises KeyError where no one person is named."""
        name = str(request.META[meta_key(settings.PROXY_USER_HEADER)]).strip()
        if not name or not name.isprintable():
            raise KeyError(settings.PROXY_USER_HEADER)
        return name
