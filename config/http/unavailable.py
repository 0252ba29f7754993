"""The page for readers and the admin while the database is locked, slow, busy, away or refuses; it asks it nothing."""

import sys
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template import loader
from django.views import defaults

from config.http import database_trouble, problems
from config.http.database_trouble import Trouble


class UnavailableMiddleware:
    """For what views raise; what middleware raises comes to `server_error`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The reply to database trouble; Django handles every other error."""
        trouble = database_trouble.of(exception)
        return _answer(request, trouble) if trouble else None


def server_error(request: HttpRequest) -> Any:
    """The site's handler500, called while the error is being handled."""
    trouble = database_trouble.of(sys.exception())
    return _answer(request, trouble) if trouble else defaults.server_error(request)


def _answer(request: HttpRequest, trouble: Trouble) -> HttpResponse:
    database_trouble.noticed.note(trouble)
    if request.path_info.startswith(problems.PREFIX):
        response = problems.unavailable(trouble)
    else:
        page = loader.get_template("503.html").render({"detail": trouble.detail})
        response = HttpResponse(page, status=503, headers=trouble.headers)
    response["Cache-Control"] = "no-store"
    return database_trouble.without_a_line(response)
