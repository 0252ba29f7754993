"""Log lines of one request can be told from those of another."""

import structlog
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from structlog.contextvars import get_contextvars

from config.http.request_ids import middleware


def test_each_request_has_an_id_of_its_own_while_it_is_answered() -> None:
    seen = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(get_contextvars()["request_id"])
        return HttpResponse()

    answer = middleware(view)
    for _ in range(2):
        answer(RequestFactory().get("/", headers={"x-request-id": "mine", "x-correlation-id": "mine"}))
    assert len(set(seen)) == 2
    assert "mine" not in seen
    assert "request_id" not in get_contextvars()


def test_the_id_ends_with_a_request_that_fails() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise ValueError

    try:
        middleware(view)(RequestFactory().get("/"))
    except ValueError:
        assert "request_id" not in structlog.contextvars.get_contextvars()
