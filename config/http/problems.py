"""Errors of the API as problem details (RFC 9457): every reply of 400 and above under /api is made here."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, DataError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, UnreadablePostError
from ninja import NinjaAPI
from ninja.errors import HttpError, Throttled, ValidationError

from config.http import database_trouble
from config.http.database_trouble import Trouble
from config.http.json_bodies import dump
from config.http.validation_messages import errors_in_words
from lib.database_errors import CHECK, constraint, sqlstate
from lib.manage_command import manage

CONTENT_TYPE = "application/problem+json"
PREFIX = "/api/"
_NO_TABLE = "42P01"  # undefined_table, in the standard's list of states

log = structlog.get_logger(__name__)

type Handler = Callable[[HttpRequest, Any], HttpResponse]
type View = Callable[[HttpRequest], HttpResponseBase]


def problem(
    status: int,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """A problem document; `errors` name single fields: {"field", "message"}."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = list(errors)
    return HttpResponse(dump(body), status=status, content_type=CONTENT_TYPE, headers=dict(headers or {}))


def add_handlers(api: NinjaAPI) -> None:
    """Answers every exception of the API's views with a problem."""
    handlers: dict[type[Exception], Handler] = {
        ValidationError: _invalid,
        HttpError: refused,
        Http404: lambda request, error: not_found(request),
        RequestDataTooBig: lambda request, error: too_large(),
        UnreadablePostError: lambda request, error: problem(400, "the body broke off before its end"),
        SuspiciousOperation: lambda request, error: problem(400, "the request is malformed"),
        DatabaseError: _database,
        InterfaceError: _database,
        Exception: _unexpected,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


def not_found(request: HttpRequest) -> HttpResponse:
    """For addresses that do not exist."""
    hint = "; addresses have no slash at their end" if request.path.endswith("/") else ""
    return problem(404, f"there is nothing at {request.path[:200]}{hint}")


def too_large() -> HttpResponse:
    """For bodies over the bound."""
    return problem(413, f"the body is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes")


def middleware(get_response: View) -> View:
    """Refuses bodies that are too large before they are read, wherever they are sent to, and turns what else went wrong
    under /api, outside its views, into problems. Stands first, so that nothing escapes it."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        is_api = request.path_info.startswith(PREFIX)
        if _announces_too_much(request):
            return too_large() if is_api else _too_large_for_a_page()
        if not is_api:
            return get_response(request)
        response = get_response(request)
        if response.status_code < 400 or response.get("Content-Type") == CONTENT_TYPE:
            return response
        return _as_problem(request, response)

    return answer


def _too_large_for_a_page() -> HttpResponse:
    text = f"The form is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes."
    headers = {"X-Content-Type-Options": "nosniff"}
    return HttpResponse(text, status=413, content_type="text/plain; charset=utf-8", headers=headers)


def _announces_too_much(request: HttpRequest) -> bool:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    length = request.META.get("CONTENT_LENGTH") or "0"
    return limit is not None and (not length.isdecimal() or int(length[:20]) > limit)


def _as_problem(request: HttpRequest, response: HttpResponseBase) -> HttpResponse:
    headers = {name: response[name] for name in ("Allow", "Retry-After") if name in response}
    if response.status_code == HTTPStatus.NOT_FOUND:
        return not_found(request)
    if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{request.method} is not possible here; {headers.get('Allow', 'nothing')} is"
    elif response.status_code == HTTPStatus.BAD_REQUEST:
        detail = "the request is malformed, or its Host is none of ALLOWED_HOSTS"
    else:
        detail = "something went wrong here; it has been logged"
    return problem(response.status_code, detail, headers=headers)


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    errors = errors_in_words(error.errors)
    more = f" (and {len(error.errors) - 1} more)" if len(error.errors) > 1 else ""
    return problem(422, f"{errors[0]['message']}{more}", errors=errors)


def refused(request: HttpRequest, error: HttpError) -> HttpResponse:
    """For refusals of ninja or access.auth: their status, challenge or time to wait."""
    # ninja wraps errors of the body parser into its own 400
    if isinstance(error.__cause__, HttpError):
        error = error.__cause__
    headers = {}
    if isinstance(error, Throttled):
        headers["Retry-After"] = str(error.wait)
        return problem(429, f"too many requests; try again in {error.wait} s", headers=headers)
    if challenge := getattr(error, "challenge", ""):
        headers["WWW-Authenticate"] = challenge
    return problem(error.status_code, str(error), headers=headers)


def _database(request: HttpRequest, error: DatabaseError | InterfaceError) -> HttpResponse:
    state = sqlstate(error)
    if isinstance(error, DataError) or state.startswith("54"):  # 54: a limit of the database itself
        log.warning("the database refused a value", error=type(error).__name__, sqlstate=state)
        return problem(422, "the database cannot store a value of this request")
    if state == CHECK and database_trouble.of(error) is None:  # a check of ours, not a stranger's
        return problem(422, f"the database refuses this change: it breaks the check {constraint(error)}")
    if state == _NO_TABLE:
        return problem(
            503, f"tables of this part are not in the database; to create them: {manage('migrate')}"
        )
    return _unexpected(request, error)


def unavailable(trouble: Trouble) -> HttpResponse:
    """For a request that the database could not serve for now; it has its line in the log."""
    return database_trouble.without_a_line(problem(503, trouble.detail, headers=trouble.headers))


def _unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
    if trouble := database_trouble.of(error):
        database_trouble.noticed.note(trouble)
        return unavailable(trouble)
    log.error("an API request failed", path=request.path, method=request.method, exc_info=error)
    return problem(500, "something went wrong here; it has been logged")
