"""Search over HTTP: what is asked of the search, and how its reply is told."""

from typing import Any

import pytest
from pytest_django import Settings

from articles.filters.fields import Field, FieldType
from articles.models import Article
from tests.factories import Api, body, problem
from tests.queueops.factories import make_space

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def articles(db: None) -> None:
    for number in range(3):
        Article(title=f"Zip {number}", content="Read a zip file.", metadata={"number": number}).save()
    Article(title="Other", content="Something else.").save()


def test_a_keyword_search_returns_its_hits_with_their_passages(api: Api, articles: None) -> None:
    reply = body(api.post("/search", {"query": "zip file", "mode": "keyword", "k": 2}))
    assert len(reply["results"]) == 2
    hit = reply["results"][0]
    assert set(hit) == {"slug", "title", "score", "snippet", "start", "end", "version_number", "metadata"}
    assert hit["title"].startswith("Zip")
    assert hit["snippet"] == "Read a zip file."[hit["start"] : hit["end"]]
    assert (reply["mode"], reply["answered_by"], reply["degraded"], reply["reason"]) == (
        "keyword",
        "keyword",
        False,
        "",
    )
    assert set(reply["timing_ms"]) == {"embed", "search", "total"}


def test_a_filter_keeps_what_metadata_contains(api: Api, articles: None) -> None:
    reply = body(api.post("/search", {"query": "zip", "mode": "keyword", "filter": {"number": 1}}))
    assert [hit["metadata"] for hit in reply["results"]] == [{"number": 1}]


def test_a_whole_number_may_be_written_with_a_fraction_of_zero(api: Api, articles: None) -> None:
    reply = api.post("/search", b'{"query": "zip", "mode": "keyword", "k": 1.0}')
    assert len(body(reply)["results"]) == 1


def test_without_a_provider_the_answer_is_by_words_and_says_so(
    api: Api, articles: None, settings: Settings
) -> None:
    make_space()
    settings.OPENAI_BASE_URL = "http://127.0.0.1:1/v1"
    reply = body(api.post("/search", {"query": "zip file"}))
    assert len(reply["results"]) == 3
    assert (reply["mode"], reply["answered_by"], reply["degraded"]) == ("semantic", "keyword", True)
    assert reply["reason"]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({}, "query is empty: give at least one character, or a filter"),
        ({"query": "", "filter": {}}, "query is empty: give at least one character, or a filter"),
        ({"query": " \n\t\u2003"}, "query is empty: give at least one character, or a filter"),
        ({"query": "a" * 1_001}, "query is longer than 1,000 characters (it has 1,001)"),
        ({"query": "a\0"}, "query holds the character '\\x00', which is not allowed in a text"),
        ({"query": 1}, "query must be text"),
        ({"query": "a", "k": 0}, "k must be at least 1"),
        ({"query": "a", "k": 101}, "k must be at most 100"),
        ({"query": "a", "k": 10**30}, "k must be at most 100"),
        ({"query": "a", "k": "5"}, "k must be a whole number"),
        ({"query": "a", "k": True}, "k must be a whole number"),
        ({"query": "a", "k": 1.5}, "k must be a whole number"),
        ({"query": "a", "k": None}, "k must be a whole number"),
        ({"query": "a", "mode": "best"}, "mode must be 'semantic', 'keyword' or 'hybrid'"),
        ({"query": "a", "filter": []}, "filter must be a JSON object"),
        ({"query": "a", "filter": {"a": "b" * 5_000}}, "filter is larger than 4,096 bytes (it has 5,009)"),
        (
            {"query": "a", "filter": {"a": "\0"}},
            "filter holds the character '\\x00', which the database cannot store",
        ),
        (
            {"query": "a", "filter": {"version": {"$gte": 1}}},
            "filter has the operator '$gte' on 'version', but operators need a field with a type: name it in the "
            "setting SEARCH_FILTERS, for instance version:number",
        ),
        ({"query": "", "filter": []}, "filter must be a JSON object"),
        ({"query": "a", "limit": 5}, "limit is not a field of this request"),
    ],
)
def test_a_question_out_of_bounds_is_refused_in_words(
    api: Api, question: dict[str, Any], message: str
) -> None:
    (error,) = problem(api.post("/search", question), 422)["errors"]
    assert error["message"] == message


@pytest.mark.parametrize(
    "query", ["'", '"', "\\", "!!!", "a & | ! b", "%", "((((", "<->", ":*", "-", "🙂", "a" * 1_000]
)
def test_odd_questions_get_an_answer(api: Api, articles: None, query: str) -> None:
    for mode in ("keyword", "semantic", "hybrid"):
        body(api.post("/search", {"query": query, "mode": mode}))


def test_a_filter_without_a_query_lists_the_newest_articles_that_it_keeps(api: Api, articles: None) -> None:
    Article(title="Newest", content="One more.", metadata={"number": 1}).save()
    for question in ({"filter": {"number": 1}}, {"query": "  ", "filter": {"number": 1}, "mode": "hybrid"}):
        reply = body(api.post("/search", question))
        assert [hit["title"] for hit in reply["results"]] == ["Newest", "Zip 1"]
        assert reply["results"][0]["snippet"] == "One more."
        assert (reply["answered_by"], reply["path"], reply["space"]) == (
            "filter",
            "filter, newest first",
            None,
        )
        assert (reply["degraded"], reply["mode"]) == (False, question.get("mode", "semantic"))
    assert len(body(api.post("/search", {"filter": {"number": 1}, "k": 1}))["results"]) == 1


DECLARED = (Field("number", FieldType.NUMBER), Field("created", FieldType.DATE))


@pytest.mark.parametrize("mode", ["keyword", "semantic", "hybrid"])
def test_a_typed_filter_keeps_what_fits_in_every_mode(
    api: Api, articles: None, settings: Settings, mode: str
) -> None:
    settings.SEARCH_FILTERS = DECLARED
    question = {"query": "zip", "mode": mode, "filter": {"number": {"$gte": 1, "$lt": 2}}}
    reply = body(api.post("/search", question))
    assert [hit["metadata"] for hit in reply["results"]] == [{"number": 1}]


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        (
            {"versio": 1},
            "filter has the unknown field 'versio'; known fields: number (number), created (date)",
        ),
        (
            {"number": {"$near": 1}},
            "filter 'number' has the unknown operator '$near'; operators of a number: "
            "$eq, $in, $gt, $gte, $lt, $lte, $exists",
        ),
    ],
)
def test_an_unknown_field_or_operator_is_refused_with_what_is_known(
    api: Api, settings: Settings, filter: dict[str, Any], message: str
) -> None:
    settings.SEARCH_FILTERS = DECLARED
    for query in ("zip", ""):
        (error,) = problem(api.post("/search", {"query": query, "filter": filter}), 422)["errors"]
        assert (error["field"], error["message"]) == ("filter", message)
