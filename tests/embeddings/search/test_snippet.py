"""The stretch of a text that is shown for a query's words."""

import pytest

from embeddings.search.snippet import LENGTH, passage_of

LONG = "lorem ipsum dolor " * 60 + "the zebra crosses the road " + "sit amet elit " * 60


@pytest.mark.parametrize("query", ["zebra", "ZEBRA", "a zebra?", "which zebra goes"])
def test_it_shows_the_first_word_that_the_text_holds(query: str) -> None:
    start, end = passage_of(LONG, query)
    assert "zebra" in LONG[start:end]
    assert end - start <= LENGTH


def test_it_shows_the_beginning_when_no_word_is_held() -> None:
    start, end = passage_of(LONG, "qqqq")
    assert (start, LONG[start:end].startswith("lorem")) == (0, True)


def test_it_ends_at_word_boundaries() -> None:
    start, end = passage_of(LONG, "zebra")
    assert LONG[start - 1] == " "
    assert LONG[end] == " "


@pytest.mark.parametrize(
    ("content", "query"), [("", "x"), ("short", "short"), ("a" * 5000, "aaaa"), ("a(b", "(((")]
)
def test_odd_texts_and_queries_do_no_harm(content: str, query: str) -> None:
    start, end = passage_of(content, query)
    assert 0 <= start <= end <= len(content)
