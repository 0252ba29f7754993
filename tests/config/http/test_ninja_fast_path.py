"""Lean operations reply as ninja's own would: the same status, and the body that the API's document describes."""

import json
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from ninja.operation import Operation

from access.models import Scope
from config.http.ninja_fast_path import LeanOperation
from tests.config.test_scopes import OPERATIONS, call
from tests.factories import Api, make_token
from tests.queueops.factories import make_space

pytestmark = pytest.mark.django_db
LEAN = [
    (method, path)
    for method, path, _ in OPERATIONS
    if not path.startswith(("/queue", "/articles/{slug}/embedding"))
]


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations whose replies were made twice, by ninja's code and by ours, and were the same."""
    seen: list[str] = []
    ours, ninjas = LeanOperation._result_to_response, Operation._result_to_response

    def both(
        self: LeanOperation, request: HttpRequest, result: Any, response: HttpResponse
    ) -> HttpResponseBase:
        expected = ninjas(self, request, result, HttpResponse())
        given = ours(self, request, result, response)
        assert given.status_code == expected.status_code
        if isinstance(given, HttpResponse) and isinstance(expected, HttpResponse):
            assert json.loads(given.content or "0") == json.loads(expected.content or "0")
        seen.append(self.view_func.__name__)
        return given

    monkeypatch.setattr(LeanOperation, "_result_to_response", both)
    return seen


@pytest.mark.parametrize("scopes", [tuple(Scope), (Scope.WRITE,)], ids=["all scopes", "write alone"])
@pytest.mark.parametrize(("method", "path"), LEAN)
def test_a_reply_is_what_ninja_would_have_made(
    method: str, path: str, scopes: tuple[Scope, ...], compared: list[str]
) -> None:
    make_space()
    reply = call(Api(make_token(*scopes)[1]), method, path)
    assert len(compared) == (0 if reply.status_code == 403 else 1)
