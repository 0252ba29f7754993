"""Errors of the API as problem documents, made from whatever went wrong on the way."""

import json
from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DataError, IntegrityError, ProgrammingError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, UnreadablePostError
from django.test import RequestFactory
from ninja import NinjaAPI
from ninja.errors import HttpError, Throttled
from ninja.errors import ValidationError as NinjaValidationError
from pytest_django import Settings

from config.http import problems
from config.http.problems import CONTENT_TYPE, add_handlers, middleware, problem


def document(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response["Content-Type"] == CONTENT_TYPE
    found: dict[str, Any] = json.loads(response.content)
    assert (found["type"], found["status"]) == ("about:blank", status)
    return found


@pytest.fixture(scope="module")
def api() -> NinjaAPI:
    made = NinjaAPI(urls_namespace="test_problems")
    add_handlers(made)
    return made


def post(path: str = "/api/x", **headers: Any) -> HttpRequest:
    return RequestFactory().post(path, data=b"{}", content_type="application/json", **headers)


def of_state(kind: type[Exception], state: str) -> Exception:
    error = kind("secret words of the database")
    error.sqlstate = state  # type: ignore[attr-defined]
    return error


def test_a_problem_has_a_title_and_no_empty_list() -> None:
    assert document(problem(404, "gone"), 404) == {
        "type": "about:blank", "title": "Not Found", "status": 404, "detail": "gone",
    }  # fmt: skip
    found = problem(422, "odd", errors=[{"field": "a", "message": "b"}], headers={"X": "y"})
    assert document(found, 422)["errors"] == [{"field": "a", "message": "b"}]
    assert found["X"] == "y"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (HttpError(409, "taken"), 409),
        (Http404(), 404),
        (RequestDataTooBig(), 413),
        (UnreadablePostError(), 400),
        (SuspiciousOperation("secret"), 400),
        (DataError("secret"), 422),
        (of_state(ProgrammingError, "54000"), 422),
        (of_state(ProgrammingError, "42P01"), 503),
        (IntegrityError("secret"), 500),
        (LookupError("secret"), 500),
        (RecursionError("secret"), 500),
    ],
)
def test_every_exception_is_a_problem_document_that_reveals_no_internals(
    api: NinjaAPI, error: Exception, status: int
) -> None:
    found = document(api.on_exception(post(), error), status)
    assert "secret" not in found["detail"]
    assert found["detail"]


def test_a_caller_over_its_limit_is_told_when_to_come_back(api: NinjaAPI) -> None:
    response = api.on_exception(post(), Throttled(wait=7))
    assert "7" in document(response, 429)["detail"]
    assert response["Retry-After"] == "7"


def test_a_challenge_goes_into_its_header(api: NinjaAPI) -> None:
    error = HttpError(401, "who are you")
    error.challenge = 'Bearer realm="x"'  # type: ignore[attr-defined]
    response = api.on_exception(post(), error)
    document(response, 401)
    assert response["WWW-Authenticate"] == 'Bearer realm="x"'


def test_what_the_reader_of_bodies_says_counts_and_not_what_ninja_makes_of_it(api: NinjaAPI) -> None:
    error = HttpError(400, "Cannot parse request body")
    error.__cause__ = HttpError(415, "no JSON")
    assert document(api.on_exception(post(), error), 415)["detail"] == "no JSON"


@pytest.mark.parametrize(("number", "tail"), [(1, ""), (3, "(and 2 more)")])
def test_wrong_fields_are_counted(api: NinjaAPI, number: int, tail: str) -> None:
    errors = [{"type": "missing", "loc": ("query", f"f{n}"), "msg": "x"} for n in range(number)]
    found = document(api.on_exception(post(), NinjaValidationError(errors)), 422)
    assert len(found["errors"]) == number
    assert found["detail"].endswith(tail or "missing")


@pytest.mark.parametrize(
    ("path", "hint"), [("/api/x", False), ("/api/x/", True), ("/api/" + "y" * 5_000, False)]
)
def test_an_unknown_address_is_named_in_short(path: str, hint: bool) -> None:
    detail = document(problems.not_found(post(path)), 404)["detail"]
    assert len(detail) < 400
    assert ("slash" in detail) is hint


# --- the middleware ---------------------------------------------------------------------------------------------


def through(response: HttpResponse, request: HttpRequest) -> Any:
    return middleware(lambda _: response)(request)


@pytest.mark.parametrize(
    ("status", "path"), [(200, "/api/x"), (302, "/api/x"), (404, "/elsewhere"), (500, "/apix")]
)
def test_good_answers_and_other_pages_pass(status: int, path: str) -> None:
    response = HttpResponse(b"as it was", status=status)
    assert through(response, post(path)) is response


def test_a_problem_passes_as_it_is() -> None:
    response = problem(409, "taken")
    assert through(response, post()) is response


@pytest.mark.parametrize("status", [400, 404, 405, 500, 502])
def test_what_else_goes_wrong_below_the_api_is_a_problem(status: int) -> None:
    response = HttpResponse(b"<h1>secret</h1>", status=status, headers={"Retry-After": "3", "X-Own": "y"})
    found = through(response, post())
    assert "secret" not in document(found, status)["detail"]
    assert "X-Own" not in found


def test_a_method_that_is_not_allowed_gets_the_list_of_allowed_ones() -> None:
    found = through(HttpResponseNotAllowed(["GET", "HEAD"]), post())
    assert found["Allow"] == "GET, HEAD"
    detail = document(found, 405)["detail"]
    assert "POST" in detail
    assert "GET, HEAD" in detail


@pytest.mark.parametrize("length", ["11", "-1", "1.0", "x", "9" * 5_000])
@pytest.mark.parametrize("path", ["/api/x", "/admin/"])
def test_a_body_that_announces_too_much_or_nonsense_is_not_read(
    settings: Settings, length: str, path: str
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    request = post(path, CONTENT_LENGTH=length)

    def unread(_: HttpRequest) -> HttpResponse:
        raise AssertionError

    response = middleware(unread)(request)
    assert response.status_code == 413
    assert (response["Content-Type"] == CONTENT_TYPE) is path.startswith("/api/")


@pytest.mark.parametrize("length", ["10", "0", ""])
def test_a_body_within_the_bound_is_read(settings: Settings, length: str) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    response = HttpResponse()
    assert through(response, post(CONTENT_LENGTH=length)) is response
