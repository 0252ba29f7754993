"""Articles over HTTP, as a client sees them."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import Scope
from articles.models import Article
from tests.factories import Api, body, make_token, problem
from tests.responses import Response

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def article(api: Api) -> Any:
    return body(
        api.post("/articles", {"title": "A title", "content": "Some text.", "metadata": {"a": 1}}), 201
    )


@pytest.fixture
def tag(api: Api, article: Any) -> str:
    return api.get("/articles/a-title")["ETag"]


def test_a_post_saves_an_article_and_says_where_it_is(api: Api) -> None:
    reply = api.post("/articles", {"title": "Test", "content": "Test content"})
    article = body(reply, 201)
    assert reply["Location"] == "/api/articles/test"
    assert (article["slug"], article["version_number"], article["metadata"]) == ("test", 1, {})
    assert article["embedding"]["state"] == "pending"
    assert article["created_at"].endswith("Z")


def test_a_post_costs_few_queries(api: Api) -> None:
    api.post("/articles", {"title": "Warm"})
    with CaptureQueriesContext(connection) as queries:
        body(api.post("/articles", {"title": "Test", "content": "Test content"}), 201)
    statements = [
        query["sql"].split()[0] for query in queries if not re.search("SAVEPOINT|api_tokens", query["sql"])
    ]
    # article with its free slug, its version and its task
    assert statements == ["WITH"]


def test_a_token_s_name_is_the_author_of_what_it_writes(article: Any) -> None:
    _, text = make_token(Scope.WRITE, Scope.READ, name="integration")
    api = Api(text)
    body(api.patch("/articles/a-title", {"content": "Other."}))
    versions = body(api.get("/articles/a-title/versions"))["items"]
    assert [version["author"] for version in versions] == ["integration", "AUTH_TOKEN"]


@pytest.mark.parametrize("title", ["हिन्दी में लेख", "日本語のタイトル", "Größe & Maß", "Ελλάδα"])
def test_an_article_of_any_script_is_found_under_its_address(api: Api, title: str) -> None:
    reply = api.post("/articles", {"title": title})
    address = reply["Location"].removeprefix("/api")
    assert body(api.get(address))["title"] == title
    assert body(api.get(unquote(address)))["title"] == title


def test_a_slug_of_one_s_own_is_kept_and_a_second_one_conflicts(api: Api) -> None:
    assert body(api.post("/articles", {"title": "One", "slug": "mine"}), 201)["slug"] == "mine"
    document = problem(api.post("/articles", {"title": "Two", "slug": "mine"}), 409)
    assert "mine" in document["detail"]


def test_reading_sends_the_tag_that_spares_the_next_reading(api: Api, article: Any, tag: str) -> None:
    reply = api.get("/articles/a-title", if_none_match=tag)
    assert (reply.status_code, reply.content, reply["ETag"]) == (304, b"", tag)
    body(api.patch("/articles/a-title", {"metadata": {}}))
    assert body(api.get("/articles/a-title", if_none_match=tag))["metadata"] == {}


def test_put_replaces_everything(api: Api, article: Any) -> None:
    replaced = body(api.put("/articles/a-title", {"title": "New"}))
    assert (replaced["title"], replaced["content"], replaced["metadata"]) == ("New", "", {})
    assert (replaced["slug"], replaced["version_number"]) == ("a-title", 2)


def test_patch_changes_what_it_names(api: Api, article: Any) -> None:
    patched = body(api.patch("/articles/a-title", {"metadata": {"b": 2}}))
    assert (patched["title"], patched["metadata"], patched["version_number"]) == ("A title", {"b": 2}, 1)


def test_an_empty_patch_changes_nothing(api: Api, article: Any, tag: str) -> None:
    assert api.patch("/articles/a-title", {})["ETag"] == tag


def test_the_second_of_two_edits_of_one_state_is_refused(api: Api, article: Any, tag: str) -> None:
    first = api.put("/articles/a-title", {"title": "Mine"}, if_match=tag)
    assert first.status_code == 200
    document = problem(api.put("/articles/a-title", {"title": "Yours"}, if_match=tag), 412)
    assert first["ETag"] in document["detail"]
    assert Article.objects.get().title == "Mine"
    changes: list[Callable[[], Response]] = [
        lambda: api.patch("/articles/a-title", {"title": "Yours"}, if_match=tag),
        lambda: api.delete("/articles/a-title", if_match=tag),
        lambda: api.post("/articles/a-title/versions/1/restore", if_match=tag),
    ]
    for call in changes:
        problem(call(), 412)
    assert Article.objects.get().title == "Mine"


@pytest.mark.parametrize("condition", ["*", '"other", {tag}'])
def test_if_match_takes_lists_and_a_star(api: Api, article: Any, tag: str, condition: str) -> None:
    body(api.put("/articles/a-title", {"title": "Mine"}, if_match=condition.format(tag=tag)))


def test_a_deleted_article_is_gone_with_its_versions(api: Api, article: Any) -> None:
    reply = api.delete("/articles/a-title")
    assert (reply.status_code, reply.content) == (204, b"")
    problem(api.get("/articles/a-title"), 404)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM article_versions")
        assert cursor.fetchone() == (0,)


def test_a_list_shows_the_newest_first_page_by_page_without_contents(api: Api) -> None:
    for number in range(5):
        body(api.post("/articles", {"title": f"Title {number}"}), 201)
    page = body(api.get("/articles?limit=2&offset=1"))
    assert [item["slug"] for item in page["items"]] == ["title-3", "title-2"]
    assert (page["total"], page["total_is_exact"], page["limit"], page["offset"]) == (5, True, 2, 1)
    assert "content" not in page["items"][0]
    assert page["items"][0]["embedding"]["state"] == "pending"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_change_reads_its_article_once(method: str, api: Api, article: Any) -> None:
    with CaptureQueriesContext(connection) as queries:
        body(api.call(method, "/articles/a-title", {"title": "Test", "content": "Other."}))
    seen = [query["sql"] for query in queries if not re.search("SAVEPOINT|api_tokens", query["sql"])]
    # locked; written, with a version and a task; the state of its embedding
    assert [sql.split()[0] for sql in seen if "embedding_spaces" not in sql or "INSERT" in sql] == [
        *["SELECT", "UPDATE", "INSERT", "INSERT"]
    ]


def test_a_list_costs_three_queries_however_long_it_is(api: Api) -> None:
    for number in range(4):
        body(api.post("/articles", {"title": f"Title {number}"}), 201)
    with CaptureQueriesContext(connection) as queries:
        body(api.get("/articles"))
    assert len([query for query in queries if "api_tokens" not in query["sql"]]) == 3


def test_counting_stops_at_its_limit(api: Api, article: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    body(api.post("/articles", {"title": "Another"}), 201)
    monkeypatch.setattr("articles.api.routes.COUNT_LIMIT", 1)
    page = body(api.get("/articles"))
    assert (page["total"], page["total_is_exact"]) == (1, False)


def test_versions_show_the_history_and_can_be_restored(api: Api, article: Any) -> None:
    body(api.patch("/articles/a-title", {"content": "Other."}))
    history = body(api.get("/articles/a-title/versions"))
    assert [item["version_number"] for item in history["items"]] == [2, 1]
    assert history["total"] == 2
    assert body(api.get("/articles/a-title/versions/1"))["content"] == "Some text."
    restored = body(api.post("/articles/a-title/versions/1/restore"))
    assert (restored["content"], restored["version_number"]) == ("Some text.", 3)
    assert restored["metadata"] == {"a": 1}


def test_an_unknown_address_is_not_found(api: Api, article: Any) -> None:
    for path in [
        "/articles/none",
        "/articles/none/versions",
        "/articles/a-title/versions/9",
        "/articles/none/embedding",
    ]:
        problem(api.get(path), 404)
    problem(api.post("/articles/a-title/versions/9/restore"), 404)
    problem(api.delete("/articles/none"), 404)
    problem(api.put("/articles/none", {"title": "A"}), 404)


def test_the_export_has_a_line_for_each_article(api: Api, article: Any) -> None:
    reply = api.get("/articles/export")
    assert reply["Content-Type"] == "application/jsonl"
    lines = reply.getvalue().decode().splitlines()
    assert [json.loads(line)["slug"] for line in lines] == ["a-title"]


def test_letters_are_the_same_in_every_unicode_form(api: Api) -> None:
    sent = {
        "title": "Cafe\u0301",
        "content": "e\u0301",
        "metadata": {"o\u0308": "u\u0308"},
        "slug": "cafe\u0301",
    }
    article = body(api.post("/articles", sent), 201)
    assert (article["title"], article["slug"], article["content"]) == ("Café", "café", "é")
    assert article["metadata"] == {"ö": "ü"}
    assert body(api.get("/articles/cafe\u0301"), 200) == article
    assert body(api.patch("/articles/cafe\u0301", {"content": "e\u0301"}), 200)["version_number"] == 1


def test_a_title_that_is_too_long_once_composed_is_refused(api: Api) -> None:
    problem(api.post("/articles", {"title": "\u0958" * 300}), 422)


def test_two_keys_that_are_one_once_composed_are_refused(api: Api) -> None:
    problem(api.post("/articles", {"title": "T", "metadata": {"é": 1, "e\u0301": 2}}), 422)
