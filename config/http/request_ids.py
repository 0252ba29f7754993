"""Gives each request an id that stands on every log line made while it is answered."""

import secrets
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from structlog.contextvars import bind_contextvars, unbind_contextvars

type View = Callable[[HttpRequest], HttpResponseBase]


def middleware(get_response: View) -> View:
    """A client's own id is not taken: it would let anybody write into the log."""

    def with_id(request: HttpRequest) -> HttpResponseBase:
        bind_contextvars(request_id=secrets.token_hex(8))
        try:
            return get_response(request)
        finally:
            unbind_contextvars("request_id")

    return with_id
