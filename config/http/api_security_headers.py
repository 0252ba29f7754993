"""Host, HTTPS and the headers of safety for calls of the API, in one step.

For pages Django's middlewares do this: security, content policy, frames, common. What they add to a reply of the API
depends on nothing but HTTPS, so it is asked of them once for each; together they cost a call as much as all of Django
around it.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csp import ContentSecurityPolicyMiddleware
from django.middleware.security import SecurityMiddleware

type View = Callable[[HttpRequest], HttpResponseBase]

_ADDING_HEADERS: tuple[Any, ...] = (
    XFrameOptionsMiddleware,
    ContentSecurityPolicyMiddleware,
    SecurityMiddleware,
)


class ApiSafety:
    """Calls `view`. A call that has to be redirected to HTTPS goes to `as_page`, that is to Django's middlewares."""

    def __init__(self, view: View, as_page: View) -> None:
        self._view = view
        self._as_page = as_page
        self._headers: dict[bool, list[tuple[str, str]]] = {}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Raises DisallowedHost."""
        is_secure = request.is_secure()
        if settings.SECURE_SSL_REDIRECT and not is_secure:
            return self._as_page(request)
        request.get_host()
        response = self._view(request)
        if is_secure not in self._headers:
            self._headers[is_secure] = _headers_of_django(is_secure)
        for name, value in self._headers[is_secure]:
            response.headers.setdefault(name, value)
        if isinstance(response, HttpResponse) and not response.has_header("Content-Length"):
            response.headers["Content-Length"] = str(len(response.content))
        return response


def _headers_of_django(is_secure: bool) -> list[tuple[str, str]]:
    """What the middlewares add to a reply without headers of its own."""
    scheme = "https" if is_secure else "http"
    asked = WSGIRequest({"REQUEST_METHOD": "GET", "wsgi.url_scheme": scheme, "wsgi.input": BytesIO()})
    view: Any = lambda _: HttpResponse()  # noqa: E731
    own = HttpResponse().headers
    for adding in _ADDING_HEADERS:
        view = adding(view)
    return [(name, value) for name, value in view(asked).items() if name not in own]
