"""Gives each request an id, which is on every log line of the request."""

import secrets
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from structlog.contextvars import bind_contextvars, unbind_contextvars

type View = Callable[[HttpRequest], HttpResponseBase]


def middleware(get_response: View) -> View:
    """A client's own id is ignored: anybody could write into the log with it."""

    def with_id(request: HttpRequest) -> HttpResponseBase:
        bind_contextvars(request_id=secrets.token_hex(8))
        try:
            return get_response(request)
        finally:
            unbind_contextvars("request_id")

    return with_id
