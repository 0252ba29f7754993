"""What the API says to requests that it cannot serve."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django import Settings

from access import throttles
from access.models import Scope
from articles.models import Article
from tests.factories import Api, body, make_token, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Api:
    return Api()


def deep(depth: int, inner: bytes = b"1") -> bytes:
    return b'{"a":' * depth + inner + b"}" * depth


UNREADABLE = {
    "half an object": b"{",
    "no JSON": b"title=Test",
    "not a number": b'{"title": "a", "metadata": {"a": NaN}}',
    "infinity": b'{"title": "a", "metadata": {"a": -Infinity}}',
    "a number too great": b'{"title": "a", "metadata": {"a": 1e999}}',
    "a lone surrogate": rb'{"title": "\ud800"}',
    "a lone surrogate in metadata": rb'{"title": "a", "metadata": {"\udfff": 1}}',
    "no UTF-8": b'{"title": "\xff"}',
    "UTF-16": '{"title": "a"}'.encode("utf-16"),
    "a hundred thousand brackets": b"[" * 100_000,
    "metadata nested without end": b'{"title": "a", "metadata": ' + deep(5_000) + b"}",
    "nesting, and a long number": b'{"title": "a", "metadata": ' + deep(20_000, b"1" * 20) + b"}",
    "a number of five thousand digits": b'{"title": "a", "metadata": {"a": ' + b"1" * 5_000 + b"}}",
    "not a number, and a long number": b'{"title": "a", "metadata": {"a": NaN, "b": 11111111111111111111}}',
}


@pytest.mark.parametrize("sent", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_body_that_is_not_json_is_a_bad_request(api: Api, sent: bytes) -> None:
    document = problem(api.post("/articles", sent), 400)
    assert document["detail"].startswith("the body is not valid JSON: ")


REFUSED = {
    "no title": ({"content": "a"}, "title", "title is missing"),
    "no object": ([], "the body", "the body must be a JSON object"),
    "text": ("AAA", "the body", "the body must be a JSON object"),
    "null": (None, "the body", "the body is missing"),
    "a number for a title": ({"title": 1}, "title", "title must be text"),
    "null for a title": ({"title": None}, "title", "title must be text"),
    "an empty title": ({"title": " "}, "title", "title is empty; give the article a name"),
    "a long title": ({"title": "a" * 301}, "title", "title is longer than 300 characters (it has 301)"),
    "a title of two lines": ({"title": "a\nb"}, "title", "title holds the character '\\n'"),
    "NUL": ({"title": "a", "content": "\0"}, "content", "content holds the character '\\x00'"),
    "a long content": (
        {"title": "a", "content": "a" * 1_000_001},
        "content",
        "content is longer than 1,000,000",
    ),
    "an unknown field": ({"title": "a", "author": "me"}, "author", "author is not a field of this request"),
    "a list for metadata": ({"title": "a", "metadata": []}, "metadata", "metadata must be a JSON object"),
    "large metadata": (
        {"title": "a", "metadata": {"a": "b" * 20_000}},
        "metadata",
        "metadata is larger than 16,384",
    ),
    "a huge number": (
        {"title": "a", "metadata": {"a": 2**64}},
        "metadata",
        "metadata holds a number of more than 64 bits",
    ),
    "NUL in metadata": ({"title": "a", "metadata": {"a": "\0"}}, "metadata", "metadata holds the character"),
    "a slug with a blank": ({"title": "a", "slug": "A b"}, "slug", "slug 'A b' must be lower-case letters"),
    "an empty slug": ({"title": "a", "slug": ""}, "slug", "slug must have 1 to 200 characters (it has 0)"),
}


@pytest.mark.parametrize(("sent", "field", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_field_out_of_its_bounds_is_named_with_its_bound(
    api: Api, sent: dict[str, Any] | list[Any] | str | None, field: str, message: str
) -> None:
    (error,) = problem(api.post("/articles", sent), 422)["errors"]
    assert error["field"] == field
    assert error["message"].startswith(message)
    assert not Article.objects.exists()


def test_every_wrong_field_is_named(api: Api) -> None:
    wrong = {"query": 7, "k": 0, "mode": "best", "filter": 1, "x": 1}
    document = problem(api.post("/search", wrong), 422)
    assert {error["field"] for error in document["errors"]} == wrong.keys()
    assert document["detail"].endswith("(and 4 more)")


def test_thousands_of_wrong_fields_get_a_short_answer(api: Api) -> None:
    reply = api.post("/articles", {f"{'long name ' * 100}{number}": 1 for number in range(2_000)})
    assert len(problem(reply, 422)["errors"]) == 20
    assert len(reply.content) < 10_000


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "offset=-1", "offset=100001", f"offset={10**30}"]
)
def test_a_page_has_bounds(api: Api, query: str) -> None:
    problem(api.get(f"/articles?{query}"), 422)


@pytest.mark.parametrize("number", ["0", "-1", "2147483648", "9" * 100, "x"])
def test_a_version_number_has_bounds(api: Api, number: str) -> None:
    problem(api.get(f"/articles/a/versions/{number}"), 422)


@pytest.mark.parametrize("slug", ["%00", "a%00b", "%ff", "%ED%A0%80", "a" * 5_000, "%F0%9F%99%82", "..", "A"])
def test_an_odd_slug_is_just_not_found(api: Api, slug: str) -> None:
    problem(api.get(f"/articles/{slug}"), 404)


def test_null_does_not_empty_a_field(api: Api) -> None:
    body(api.post("/articles", {"title": "A title"}), 201)
    for field in ("title", "content", "metadata"):
        problem(api.patch("/articles/a-title", {field: None}), 422)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_body_that_does_not_say_it_is_json_is_not_read(api: Api, content_type: str) -> None:
    document = problem(api.post("/articles", b'{"title": "a"}', content_type=content_type), 415)
    assert "application/json" in document["detail"]


def test_json_may_name_its_charset(api: Api) -> None:
    body(api.post("/articles", {"title": "a"}, content_type="application/json; charset=utf-8"), 201)


def test_ten_megabytes_are_refused_unread(api: Api) -> None:
    document = problem(api.post("/articles", b'{"title": "' + b"a" * 10_000_000 + b'"}'), 413)
    assert "5,242,880 bytes" in document["detail"]


@pytest.mark.parametrize("length", ["x", "-1", "9" * 50])
def test_a_length_that_is_none_is_refused(length: str) -> None:
    client = Api().client
    reply = client.post("/api/articles", b"{}", "application/json", CONTENT_LENGTH=length)
    assert reply.status_code in {400, 413}
    problem(reply, reply.status_code)


def test_a_million_wide_characters_fit(api: Api) -> None:
    sent = b'{"title": "a", "content": "' + "🙂".encode() * 1_000_000 + b'"}'
    article = body(api.post("/articles", sent), 201)
    assert len(article["content"]) == 1_000_000


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/articles/", "/articles/a/b/c", "/openapi.yaml"])
def test_an_address_that_does_not_exist_is_a_problem_too(api: Api, path: str) -> None:
    problem(api.get(path), 404)


def test_an_unknown_method_gets_the_list_of_allowed_ones(api: Api) -> None:
    reply = api.delete("/articles")
    problem(reply, 405)
    assert set(reply["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("token", ["", "wrong", "vp_00000000_" + "a" * 43])
def test_without_a_good_token_the_answer_says_how_to_authenticate(token: str, clean_cache: None) -> None:
    reply = Api(token).get("/articles")
    problem(reply, 401)
    assert reply["WWW-Authenticate"].startswith('Bearer realm="Vectorpress"')


def test_a_missing_scope_is_named() -> None:
    _, text = make_token(Scope.READ, name="reader")
    reply = Api(text).post("/articles", {"title": "a"})
    assert "'reader' lacks the scope 'write'" in problem(reply, 403)["detail"]
    assert 'scope="write"' in reply["WWW-Authenticate"]
    _, text = make_token(Scope.WRITE)
    problem(Api(text).get("/articles"), 403)
    problem(Api(text).post("/search", {"query": "a"}), 403)


def test_authentication_comes_before_the_body_is_read(clean_cache: None) -> None:
    problem(Api("wrong").post("/articles", b"{"), 401)


def test_a_caller_over_its_limit_is_told_when_to_come_back(
    settings: Settings, clean_cache: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    midst = time.time() // 60 * 60 + 20
    monkeypatch.setattr("time.time", lambda: midst)
    settings.API_RATE_LIMIT = 2
    _, text = make_token()
    api = Api(text)
    assert [api.get("/articles").status_code for _ in range(3)] == [200, 200, 429]
    reply = api.get("/articles")
    assert problem(reply, 429)["detail"] == "too many requests; try again in 40 s"
    assert reply["Retry-After"] == "40"
    body(Api().get("/articles"))


def test_an_address_that_keeps_asking_without_a_token_is_slowed_down(
    clean_cache: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    midst = time.time() // 60 * 60 + 20
    monkeypatch.setattr("time.time", lambda: midst)
    monkeypatch.setattr(throttles, "REFUSALS_A_MINUTE", 2)
    assert [Api("").get("/articles").status_code for _ in range(3)] == [401, 401, 429]


def test_without_redis_the_api_works(api: Api, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/2"
    settings.API_RATE_LIMIT = 1
    for _ in range(3):
        body(api.get("/articles"))


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_a_database_that_is_away_is_a_503_that_says_when_to_come_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "articles.api.routes.article_or_404", failing(OperationalError("connection to server failed"))
    )
    reply = api.get("/articles/a")
    assert "connection" not in problem(reply, 503)["detail"]
    assert reply["Retry-After"] == "5"


def test_an_internal_error_reveals_nothing_of_its_cause(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("articles.api.routes.article_or_404", failing(RuntimeError("secret inside")))
    reply = api.get("/articles/a")
    problem(reply, 500)
    assert b"secret" not in reply.content


def test_a_host_that_is_not_ours_gets_a_problem_too() -> None:
    reply = Api().client.get("/api/articles", headers={"host": "evil.example"})
    problem(reply, 400)
