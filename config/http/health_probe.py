"""Answers /health before anything looks at the request's Host: what watches a machine asks by its address, or by
HTTP/1.0 without a name."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from queueops.api.health import health_answer

type View = Callable[[HttpRequest], HttpResponseBase]

PATH = "/health"


def middleware(get_response: View) -> View:
    """The reply makes no address and depends on none, so that no Host can do harm in it."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        if request.path_info != PATH or not _is_plain(request):
            return get_response(request)
        response = health_answer(request)
        response["X-Content-Type-Options"] = "nosniff"
        response["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        return response

    return answer


def _is_plain(request: HttpRequest) -> bool:
    """Whether it reads and brings no body: everything else meets the bounds and the answers of all paths."""
    has_body = (
        request.META.get("CONTENT_LENGTH") not in (None, "", "0") or "HTTP_TRANSFER_ENCODING" in request.META
    )
    return request.method in ("GET", "HEAD") and not has_body
