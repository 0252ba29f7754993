"""Lets pages of other origins call the API (the CORS protocol of the Fetch standard): those in CORS_ALLOWED_ORIGINS.

Without credentials: a page brings a token, and no cookie of this site opens the API.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers

from config.http.problems import PREFIX

type View = Callable[[HttpRequest], HttpResponseBase]

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_ASKED = "Authorization, Content-Type, If-Match, If-None-Match"
_TOLD = "ETag, Location, Retry-After"
_ALLOWED = "Access-Control-Allow-Origin"
_SECONDS = "3600"  # for which a browser need not ask again


def middleware(get_response: View) -> View:
    """Answers the question that a browser asks first, and names the origin in replies to it."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        added = headers(request.path_info, request.headers.get("Origin", ""))
        if _ALLOWED in added and is_question(request):
            response: HttpResponseBase = _permission()
        else:
            response = get_response(request)
        if vary := added.pop("Vary", ""):
            patch_vary_headers(response, [vary])
        for name, value in added.items():
            response[name] = value
        return response

    return answer


def headers(path: str, origin: str) -> dict[str, str]:
    """What a reply carries for a page of this origin; `path` is without SUB_PATH."""
    if not settings.CORS_ALLOWED_ORIGINS or not path.startswith(PREFIX):
        return {}
    if origin not in settings.CORS_ALLOWED_ORIGINS:
        return {"Vary": "Origin"}
    return {"Vary": "Origin", _ALLOWED: origin, "Access-Control-Expose-Headers": _TOLD}


def is_question(request: HttpRequest) -> bool:
    """Whether it is a preflight request, which carries no token."""
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers


def _permission() -> HttpResponse:
    allowed = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _ASKED,
        "Access-Control-Max-Age": _SECONDS,
    }
    return HttpResponse(status=204, headers=allowed)
