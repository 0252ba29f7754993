"""Articles that hold the words of a query."""

import pytest

from embeddings.search import keyword
from embeddings.search.keyword import matching
from tests.queueops.factories import make_article

pytestmark = pytest.mark.django_db


def titles(query: str, k: int = 10, metadata: dict[str, object] | None = None) -> list[str]:
    return [hit.title for hit in matching(query, k, metadata).hits]


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
    assert matching("file", 5, metadata).path == ("full text, filtered" if metadata else "full text")


@pytest.mark.usefixtures("corpus")
def test_no_more_than_k_come_back_and_none_twice() -> None:
    assert len(titles("file", k=1)) == 1
    found = titles("read file zip")
    assert len(found) == len(set(found))


@pytest.mark.usefixtures("corpus")
def test_a_hit_shows_the_passage_that_holds_a_word() -> None:
    (hit,) = matching("archives", 1, None).hits
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


def test_of_many_matches_so_many_are_ranked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyword, "_RANKED_MOST", 2)
    for n in range(4):
        make_article(f"Common {n}", "Common words.")
    assert len(titles("common")) == 2
