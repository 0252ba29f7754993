"""Refuses addresses of the admin that hold a NUL, which no text in the database can hold: its filters pass on what
in an address is not checked elsewhere, and the database's refusal would be a page of status 500."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase

from config.http.content_security_policy import ADMIN_PATH

type View = Callable[[HttpRequest], HttpResponseBase]


def without_nul(get_response: View) -> View:
    """A middleware: 400 for such an address."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(ADMIN_PATH) and "%00" in request.META.get("QUERY_STRING", ""):
            raise BadRequest("the address holds the character '\\x00', which no text contains")
        return get_response(request)

    return middleware
