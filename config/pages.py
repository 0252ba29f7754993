"""Middleware that only pages with a person before them need: session, login, messages and the protection of forms.

Callers of the API bring a token; what these would look up for them, nothing reads.
"""

from typing import Any

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest, HttpResponseForbidden
from django.middleware import csrf
from django.utils.deprecation import MiddlewareMixin

_API = "/api"


def _is_api(request: HttpRequest) -> bool:
    return request.path_info == _API or request.path_info.startswith(f"{_API}/")


class _OnPages(MiddlewareMixin):
    def __call__(self, request: HttpRequest) -> Any:
        if _is_api(request):
            return self.get_response(request)
        return super().__call__(request)


class SessionMiddleware(_OnPages, sessions.SessionMiddleware):
    pass


class CsrfViewMiddleware(_OnPages, csrf.CsrfViewMiddleware):
    def process_view(self, request: HttpRequest, *args: Any) -> HttpResponseForbidden | None:
        """Nothing under /api goes by a cookie; what is not there is not found, rather than refused."""
        return None if _is_api(request) else super().process_view(request, *args)


class AuthenticationMiddleware(_OnPages, auth.AuthenticationMiddleware):
    pass


class MessageMiddleware(_OnPages, messages.MessageMiddleware):
    pass
