"""What pages answer while the database is in trouble; test_database_trouble.py has it with real locks."""

from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, OperationalError
from django.http import HttpResponse
from django.test import RequestFactory

from config.http.unavailable import UnavailableMiddleware, server_error


def locked() -> OperationalError:
    error = OperationalError("secret words")
    error.__cause__ = psycopg.errors.LockNotAvailable()
    return error


@pytest.mark.parametrize("error", [locked(), OperationalError("secret words")])
@pytest.mark.parametrize("path", ["/", "/admin/", "/api/articles"])
def test_a_view_that_meets_trouble_is_answered_503(error: OperationalError, path: str) -> None:
    middleware = UnavailableMiddleware(lambda _: HttpResponse())
    response: Any = middleware.process_exception(RequestFactory().get(path), error)
    assert (response.status_code, response["Cache-Control"]) == (503, "no-store")
    assert int(response["Retry-After"]) > 0
    assert b"secret" not in response.content
    assert (response["Content-Type"] == "application/problem+json") is path.startswith("/api/")


@pytest.mark.parametrize("error", [LookupError(), IntegrityError("duplicate"), ValueError()])
def test_another_error_is_left_to_django(error: LookupError | IntegrityError | ValueError) -> None:
    middleware = UnavailableMiddleware(lambda _: HttpResponse())
    assert middleware.process_exception(RequestFactory().get("/"), error) is None


def test_what_passes_is_not_touched() -> None:
    response = HttpResponse(b"as it was")
    assert UnavailableMiddleware(lambda _: response)(RequestFactory().get("/")) is response


@pytest.mark.parametrize(("error", "status"), [(locked(), 503), (LookupError(), 500)])
def test_what_middleware_raises_comes_to_the_site_s_own_handler(
    error: OperationalError | LookupError, status: int
) -> None:
    try:
        raise error
    except Exception:
        assert server_error(RequestFactory().get("/")).status_code == status
