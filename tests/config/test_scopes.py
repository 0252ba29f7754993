"""Each operation of the API against each set of scopes: what it declares decides, and text goes to readers alone."""

import re
from itertools import chain, combinations
from typing import Any

import pytest
from pytest_django import Settings

from access.models import ApiToken, Scope
from articles.models import Article
from config.api import api as the_api
from queueops.models import Priority, Status, Task
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import operations
from tests.factories import Api, body, make_token, problem
from tests.queueops.factories import make_space
from tests.responses import Response

pytestmark = pytest.mark.django_db
CANARY = "canary7f3a"
TEXT = f"Of the {CANARY}, kept from those who may not read."
OPERATIONS = [
    (method.upper(), path.removeprefix("/api"), operation["security"][0]["Bearer"])
    for path, operations in the_api.get_openapi_schema()["paths"].items()
    for method, operation in operations.items()
]
SETS = list(chain.from_iterable(combinations(Scope, size) for size in range(4)))
WHY: dict[str, Any] = {"reason": "a test"}
ALL: dict[str, Any] = WHY | {"filter": {"all": True}}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/articles"): {
        "title": f"A {CANARY}",
        "content": TEXT,
        "metadata": {CANARY: TEXT},
        "slug": "other",
    },
    ("PUT", "/articles/{slug}"): {"title": f"A {CANARY}", "content": TEXT},
    ("PATCH", "/articles/{slug}"): {},
    ("POST", "/search"): {"query": CANARY, "mode": "keyword"},
    ("POST", "/queue/prioritize"): ALL | {"priority": "low"},
    ("POST", "/queue/mode"): WHY | {"mode": "environment"},
    **{("POST", f"/queue/{act}"): ALL for act in ("retry", "cancel", "clear")},
}
# A finished operation is neither resumed nor stopped, one that waits is not retried: the state decides, not the scope.
AT_ODDS = {
    "/queue/operations/{operation_id}/resume",
    "/queue/operations/{operation_id}/stop",
    "/queue/tasks/{task_id}/retry",
}


@pytest.fixture(autouse=True)
def unlimited(settings: Settings) -> None:
    settings.API_RATE_LIMIT = 0
    make_space()


def ready(path: str) -> str:
    """The address of an article that is full of canaries, of its task or of an operation on it."""
    Article.objects.all().delete()
    article = Article(slug="an-article", title=f"The {CANARY}", content=TEXT, metadata={CANARY: TEXT})
    article.save(author="ada")
    task = Task.objects.get()
    done = operations.prioritize(
        TaskFilter(ids=(task.pk,)), actor="ada", reason="a test", priority=Priority.HIGH
    )
    names = {"slug": article.slug, "number": "1", "task_id": str(task.pk), "operation_id": str(done.pk)}
    return re.sub(r"{(\w+)}", lambda name: names[name[1]], path)


def call(api: Api, method: str, path: str, **headers: str) -> Response:
    sent = BODIES.get((method, path), WHY if method == "POST" and path.startswith("/queue") else None)
    return api.call(method, ready(path), sent, **headers)


def headers_and_body(reply: Response) -> str:
    """All that is sent: headers and body, streamed or not."""
    content = reply.getvalue()
    return str(reply.headers) + content.decode()


@pytest.mark.parametrize(("method", "path", "wanted"), OPERATIONS, ids=lambda value: str(value))
def test_what_an_operation_declares_decides_and_only_readers_get_text(
    method: str, path: str, wanted: list[str]
) -> None:
    for scopes in SETS:
        row, token = make_token()
        ApiToken.objects.filter(pk=row.pk).update(scopes=scopes)
        reply = call(Api(token), method, path)
        if set(wanted) <= set(scopes):
            assert 200 <= reply.status_code < 300 or (reply.status_code == 409 and path in AT_ODDS), (
                reply.content
            )
        else:
            assert f"lacks the scope '{wanted[0]}'" in problem(reply, 403)["detail"]
            assert f'scope="{wanted[0]}"' in reply["WWW-Authenticate"]
        if Scope.READ not in scopes:
            assert CANARY not in headers_and_body(reply), scopes


@pytest.mark.parametrize(("method", "path", "wanted"), OPERATIONS, ids=lambda value: str(value))
def test_nobody_without_a_valid_token_gets_anything(method: str, path: str, wanted: list[str]) -> None:
    for token in ("", "vp_00000000_not-a-token-of-this-installation"):
        reply = call(Api(token), method, path)
        problem(reply, 401)
        assert CANARY not in headers_and_body(reply)


def test_readers_do_get_the_text() -> None:
    """Or the matrix above would look for what is never there."""
    _, token = make_token(Scope.READ, Scope.WRITE, Scope.OPS)
    seen = {
        path for method, path, _ in OPERATIONS if CANARY in headers_and_body(call(Api(token), method, path))
    }
    assert seen >= {
        "/articles",
        "/articles/export",
        "/articles/{slug}",
        "/articles/{slug}/versions",
        "/articles/{slug}/versions/{number}",
        "/articles/{slug}/versions/{number}/restore",
        "/search",
        "/queue/tasks/{task_id}",
    }


WRITES = [(method, path) for method, path, wanted in OPERATIONS if wanted == ["write"]]
REFUSED: list[tuple[str, Any, dict[str, str]]] = [
    ("a condition that does not hold", {"title": "x"}, {"if_match": '"1-1"'}),
    ("a field that is not one", {"title": "x", "nonsense": 1}, {}),
    ("a field of another type", {"title": 1, "metadata": []}, {}),
    ("a slug that is taken", {"title": "x", "slug": "an-article"}, {}),
    ("no JSON", b"{", {}),
    ("another content type", b"x", {"content_type": "text/plain"}),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_what_is_refused_quotes_nothing_either(method: str, path: str) -> None:
    _, token = make_token(Scope.WRITE)
    for name, sent, headers in REFUSED:
        reply = Api(token).call(method, ready(path), sent, **headers)
        assert CANARY not in headers_and_body(reply), name


def test_a_writer_learns_what_it_needs_to_go_on() -> None:
    _, token = make_token(Scope.WRITE)
    api = Api(token)
    made = api.post("/articles", {"title": "A title", "content": "Text."})
    assert set(body(made, 201)) == {"slug", "version_number", "created_at", "updated_at"}
    assert made["Location"] == "/api/articles/a-title"
    changed = api.patch("/articles/a-title", {"content": "Other."}, if_match=made["ETag"])
    assert body(changed)["version_number"] == 2
    assert api.delete("/articles/a-title", if_match=changed["ETag"]).status_code == 204


def test_a_failed_task_is_shown_to_operators_without_its_title() -> None:
    path = ready("/queue/tasks/{task_id}")
    Task.objects.update(
        status=Status.FAILED, error_class="auth", error_message="refused", completed_at="2026-01-01T00:00Z"
    )
    for scopes, title in (([Scope.OPS], ""), ([Scope.OPS, Scope.READ], f"The {CANARY}")):
        _, token = make_token(*scopes)
        assert body(Api(token).get(path))["article"]["title"] == title
