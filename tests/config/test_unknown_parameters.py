"""A parameter that a list does not declare is refused, whatever its spelling: as a filter it would select all."""

from urllib.parse import quote

import pytest

from config.api import api
from tests.factories import Api
from tests.queueops.factories import make_article
from tests.responses import Response

pytestmark = pytest.mark.django_db
LISTS = sorted(
    path.removeprefix("/api")
    for path, operations in api.get_openapi_schema()["paths"].items()
    if any(each["in"] == "query" for each in operations.get("get", {}).get("parameters", []))
)


def ask(path: str, query: str) -> Response:
    return Api().call("GET", f"{path.format(slug='a')}?{query}")


@pytest.fixture(autouse=True)
def an_article() -> None:
    make_article("a")


def test_there_are_lists() -> None:
    assert {
        "/articles",
        "/articles/{slug}/versions",
        "/queue/tasks",
        "/queue/operations",
        "/queue/audit",
    } <= {*LISTS}


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("name", ["statuss", "limit ", "Limit", "limit[]", "", "é", "a\x05b", "x" * 5_000])
def test_an_unknown_parameter_is_refused_with_the_known_ones(path: str, name: str) -> None:
    reply = ask(path, f"{quote(name)}=1")
    assert reply.status_code == 422
    detail = reply.json()["detail"]
    assert detail.startswith("unknown parameter '")
    assert "limit" in detail.partition("': use ")[2]
    assert len(detail) < 400


@pytest.mark.parametrize("path", LISTS)
def test_the_known_ones_are_taken(path: str) -> None:
    assert ask(path, "limit=1").status_code == 200
    assert ask(path, "").status_code == 200
