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
_SECONDS = "3600"  # for which a browser need not ask again


def middleware(get_response: View) -> View:
    """Answers the question that a browser asks first, and names the origin in replies to it."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        origin = request.headers.get("Origin", "")
        if not settings.CORS_ALLOWED_ORIGINS or not request.path_info.startswith(PREFIX):
            return get_response(request)
        is_allowed = origin in settings.CORS_ALLOWED_ORIGINS
        if is_allowed and is_question(request):
            response: HttpResponseBase = _permission()
        else:
            response = get_response(request)
        patch_vary_headers(response, ["Origin"])
        if is_allowed:
            response["Access-Control-Allow-Origin"] = origin
            response["Access-Control-Expose-Headers"] = _TOLD
        return response

    return answer


def is_question(request: HttpRequest) -> bool:
    """Whether it is a preflight request, which carries no token."""
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers


def _permission() -> HttpResponse:
    headers = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _ASKED,
        "Access-Control-Max-Age": _SECONDS,
    }
    return HttpResponse(status=204, headers=headers)
