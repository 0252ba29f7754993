"""Articles that hold the words of a query."""

import time
from typing import Any

import pytest

from articles.filters import where
from embeddings.search import keyword
from embeddings.search.keyword import matching
from tests.queueops.factories import make_article

pytestmark = pytest.mark.django_db


def titles(query: str, k: int = 10, metadata: dict[str, object] | None = None) -> list[str]:
    return [hit.title for hit in matching(query, k, where(metadata)).hits]


@pytest.fixture
def corpus() -> None:
    make_article("Zip files", "Read and write ZIP archives with many members.", metadata={"kind": "module"})
    make_article("Reading", "Reading a text file line by line.", metadata={"kind": "page"})
    make_article("Bread", "Bake it slowly.")


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("zip archive", ["Zip files"]),
        ("archives", ["Zip files"]),  # in any form of the word
        ("reading line", ["Reading", "Zip files"]),
        ('"text file"', ["Reading"]),
        ("bread or zip", ["Bread", "Zip files"]),
        ("file -zip", ["Reading"]),
        ("nothing of this kind", []),
        ("the of and", []),
        ("", []),
    ],
)
def test_articles_with_all_words_come_before_those_with_some(query: str, first: list[str]) -> None:
    found = titles(query)
    assert set(found) == set(first)
    assert found[:1] == first[:1] or "or" in query


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize(
    ("metadata", "found"), [({"kind": "page"}, ["Reading"]), ({"kind": "x"}, []), ({}, 2)]
)
def test_a_filter_keeps_what_metadata_contains(metadata: dict[str, object], found: list[str] | int) -> None:
    got = titles("file", metadata=metadata)
    assert got == found if isinstance(found, list) else len(got) == found
    assert matching("file", 5, where(metadata)).path == ("full text, filtered" if metadata else "full text")


@pytest.mark.usefixtures("corpus")
def test_no_more_than_k_come_back_and_none_twice() -> None:
    assert len(titles("file", k=1)) == 1
    found = titles("read file zip")
    assert len(found) == len(set(found))


@pytest.mark.usefixtures("corpus")
def test_a_hit_shows_the_passage_that_holds_a_word() -> None:
    (hit,) = matching("archives", 1).hits
    content = "Read and write ZIP archives with many members."
    assert content[hit.start : hit.end] == hit.snippet
    assert "archives" in hit.snippet
    assert (hit.slug, hit.version_number, hit.metadata) == ("zip-files", 1, {"kind": "module"})
    assert hit.score > 0


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize(
    "query", ["'", "a & | ! b", "%s %(query)s", "((", "-", '"', "\\", "x" * 10_000, "🙂"]
)
def test_odd_queries_break_nothing(query: str) -> None:
    titles(query)


def test_of_many_matches_so_many_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyword, "SCORED_MOST", 2)
    for n in range(4):
        make_article(f"Common {n}", "Common words.")
    assert len(titles("common")) == 2


def test_a_word_that_many_articles_hold_hides_none_with_a_rarer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyword, "MATCHES_MOST", 3)
    for n in range(6):
        make_article(f"Common {n}", "Common words.")
    make_article("Rare", "A zebra.")
    assert titles("common zebra")[0] == "Rare"


def test_a_long_page_does_not_stand_before_the_page_about_it() -> None:
    filler = "Nothing about that is said here, only many other things. "
    make_article(
        "Change log", (f"Fixed a zip error. {filler * 30} Fixed an archive error. {filler * 30}") * 20
    )
    make_article("Zip archives", "How to read and write a zip archive.")
    assert titles("zip archive") == ["Zip archives", "Change log"]


def test_scores_are_on_one_scale_whoever_holds_all_words_or_some() -> None:
    make_article("One", "Read a zip archive.")
    make_article("Two", "Zip. " * 50)
    make_article("Three", "An archive of letters, a read, a zip: " + "and so on. " * 900)
    hits = matching("read zip archive", 10).hits
    scores = [hit.score for hit in hits]
    assert [hit.title for hit in hits][:2] in (["One", "Three"], ["Three", "One"])
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


def test_a_hit_shows_its_best_passage_however_late_it_comes() -> None:
    filler = "Zip of something else, at length and without end. " * 200
    article = make_article("Long", f"{filler}The zip archive has members. {filler}")
    (hit,) = matching("archive members", 1).hits
    assert "archive has members" in article.content[hit.start : hit.end]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("TCP/IP", "Whole"),
        ("ZipFile", "Camel"),
        ("read_text", "Snake"),
        ("AB-1234/7", "Part"),
    ],
)
def test_the_article_with_the_whole_joined_word_comes_first(query: str, first: str) -> None:
    make_article("Apart", "An IP for TCP. A zip in a file. A text to read. 7 of 1234 in AB. " * 3)
    make_article("Whole", "About TCP/IP.")
    make_article("Camel", "About ZipFile.")
    make_article("Snake", "About read_text.")
    make_article("Part", "Order AB-1234/7.")
    assert titles(query)[:2] == [first, "Apart"]


def test_words_that_are_excluded_or_required_limit_those_with_some_words_too() -> None:
    make_article("One", "Bread and butter.")
    make_article("Two", "Bread and jam.")
    assert titles("bread cheese -jam") == ["One"]
    assert titles('"and jam" cheese bread') == ["Two"]
    assert titles("-jam") == []


def test_a_query_of_joined_common_words_reads_few_articles(django_assert_max_num_queries: Any) -> None:
    for n in range(30):
        make_article(f"Page {n}", "Read this, and a file. " * 200)
    for query in ("read/file " * 90, "read_file" * 100, "ReadFile" * 110, '"file read" ' * 80):
        started = time.monotonic()
        with django_assert_max_num_queries(3):
            titles(query[:1_000])
        assert time.monotonic() - started < 10
