"""The stretch of a text that is shown for a query's words."""

import pytest

from embeddings.search.snippet import LENGTH, passage_of

LONG = "lorem ipsum dolor " * 60 + "the zebra crosses the road " + "sit amet elit " * 60


@pytest.mark.parametrize("word", ["zebra", "ZEBRA", "zeb"])
def test_it_shows_the_first_word_that_the_passage_holds(word: str) -> None:
    start, end = passage_of(LONG, ["which", word], 150)
    assert "zebra" in LONG[start:end]
    assert end - start <= LENGTH


def test_it_shows_the_beginning_of_the_passage_when_no_word_is_held() -> None:
    start, end = passage_of(LONG, ["qqqq"])
    assert (start, LONG[start:end].startswith("lorem")) == (0, True)
    start, end = passage_of(LONG, ["qqqq"], 182)
    assert "zebra" in LONG[start:end]


def test_it_ends_at_word_boundaries() -> None:
    start, end = passage_of(LONG, ["zebra"], 150)
    assert LONG[start - 1] == " "
    assert LONG[end] == " "


def test_a_script_without_spaces_is_found_within_its_run() -> None:
    content = "東京都庁は新宿区にあります。" * 20 + "展望室からの眺め。" + "本もある。" * 99
    start, end = passage_of(content, ["展望", "望室"], 250)
    assert "展望室" in content[start:end]


@pytest.mark.parametrize(
    ("content", "word"),
    [("", "x"), ("short", "short"), ("a" * 5000, "aaaa"), ("a(b", "((("), ("日" * 900, "日日")],
)
@pytest.mark.parametrize("first", [0, 100, 10**9])
def test_odd_texts_and_queries_do_no_harm(content: str, word: str, first: int) -> None:
    start, end = passage_of(content, [word], first)
    assert 0 <= start <= end <= len(content)
