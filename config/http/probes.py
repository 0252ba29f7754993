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
        if request.path_info != PATH:
            return get_response(request)
        response = health_answer(request)
        response["X-Content-Type-Options"] = "nosniff"
        return response

    return answer
