"""Texts are cut where people would cut them, fit the model, and lose nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings.text.chunking import FLOOR_TOKENS, Chunk, chunks_of, smaller
from embeddings.text.tokens import estimate


def words(text: str) -> int:
    """A tokenizer that a reader can follow: one token a word."""
    return len(text.split())


def cut(
    content: str, *, title: str = "T", budget: int = 10, overlap: int = 0, prefix: str = ""
) -> list[Chunk]:
    return chunks_of(title, content, budget=budget, overlap=overlap, count=words, prefix=prefix)


def test_a_short_text_is_one_chunk_with_its_title_in_front() -> None:
    (chunk,) = cut("one two three", title="Zip files", prefix="passage: ")
    assert chunk == (0, 13, "passage: Zip files\n\none two three")


@pytest.mark.parametrize("content", ["", " ", "\n\n\t ", "\u3000\u00a0"])
def test_a_text_of_white_space_has_no_chunks(content: str) -> None:
    assert cut(content) == []


def test_it_cuts_between_sentences_rather_than_inside_them() -> None:
    content = "One two three four five. Six seven eight nine ten. Eleven twelve."
    assert [content[c.start : c.end].strip() for c in cut(content, budget=7)] == [
        "One two three four five.",
        "Six seven eight nine ten.",
        "Eleven twelve.",
    ]


def test_it_cuts_between_paragraphs_rather_than_between_sentences() -> None:
    content = "One two. Three four.\n\nFive six seven. Eight nine ten."
    assert [content[c.start : c.end].strip() for c in cut(content, budget=8)] == [
        "One two. Three four.",
        "Five six seven. Eight nine ten.",
    ]


def test_a_heading_begins_a_chunk_once_the_one_before_is_half_full() -> None:
    content = "one two three four five six\n# H\nseven\n\neight nine ten"
    first, second = cut(content, budget=11)
    assert content[first.start : first.end] == "one two three four five six\n"
    assert content[second.start : second.end].startswith("# H\nseven")


def test_a_sentence_longer_than_a_chunk_is_cut_between_words() -> None:
    content = " ".join(f"w{n}" for n in range(25))
    chunks = cut(content)
    assert [words(c.text) for c in chunks] == [10, 10, 8]


def test_a_word_longer_than_a_chunk_is_cut_evenly() -> None:
    chunks = chunks_of("T", "x" * 1000, budget=50, overlap=0, count=estimate)
    assert "".join("x" * (c.end - c.start) for c in chunks) == "x" * 1000
    assert all(estimate(c.text) <= 50 for c in chunks)


@pytest.mark.parametrize("text", ["x" * 200_000, "x," * 100_000, "x \n" * 60_000, "編" * 60_000])
def test_a_text_without_ends_to_cut_at_is_counted_a_few_times_and_not_at_every_halving(text: str) -> None:
    counted = []

    def count(part: str) -> int:
        counted.append(len(part))
        return estimate(part)

    chunks_of("T", text, budget=100, overlap=0, count=count)
    assert sum(counted) <= 5 * len(text)


def test_chunks_overlap_by_whole_sentences_when_asked_to() -> None:
    content = "A b c. D e f. G h i. J k l."
    chunks = cut(content, budget=7, overlap=3)
    assert [content[c.start : c.end].strip() for c in chunks] == [
        "A b c. D e f.",
        "D e f. G h i.",
        "G h i. J k l.",
    ]


def test_a_title_that_would_fill_the_chunks_gets_chunks_of_its_own() -> None:
    title = " ".join(f"t{n}" for n in range(14))
    chunks = cut("one two three four five six seven eight nine ten", title=title)
    own = [c for c in chunks if (c.start, c.end) == (0, 0)]
    assert " ".join(c.text for c in own).split() == title.split()
    assert all(words(c.text) <= 10 for c in chunks)


@settings(max_examples=200, deadline=None)
@given(
    content=st.text(alphabet="ab .\n#!?。é漢\t", max_size=400),
    title=st.text(alphabet="ab ", min_size=1, max_size=40),
    budget=st.integers(20, 60),
    overlap=st.integers(0, 8),
)
def test_whatever_the_text_every_chunk_fits_and_nothing_is_lost(
    content: str, title: str, budget: int, overlap: int
) -> None:
    chunks = chunks_of(title, content, budget=budget, overlap=overlap, count=estimate)
    assert all(estimate(c.text) <= budget for c in chunks)
    covered = {n for c in chunks for n in range(c.start, c.end)}
    assert all(n in covered or content[n].isspace() for n in range(len(content)))
    starts = [c.start for c in chunks]
    assert starts == sorted(starts)


def numbered(count: int) -> str:
    return " ".join(f"w{n}" for n in range(count))


@pytest.mark.parametrize(
    ("title", "content", "sizes"),
    [
        ("T", numbered(99), [51, 50]),  # the title stands in front of each
        ("T", numbered(2 * FLOOR_TOKENS - 1), [17, 16]),
        ("T", numbered(2 * FLOOR_TOKENS - 2), []),  # half of it would be below the floor
        (numbered(20), numbered(80), [60, 60]),  # the title takes 20 of each
        (numbered(40), numbered(60), [50, 50]),  # a title that would fill most of each is cut like the rest
        (numbered(100), "", [50, 50]),  # a chunk of a title's own
    ],
)
def test_a_chunk_that_was_not_taken_is_cut_into_some_of_half_its_size(
    title: str, content: str, sizes: list[int]
) -> None:
    chunk = Chunk(7, 7 + len(content), f"{title}\n\n{content}")
    pieces = smaller(chunk, count=words)
    assert [words(piece.text) for piece in pieces] == sizes
    assert all(7 <= piece.start <= piece.end <= 7 + len(content) for piece in pieces)
    assert not pieces or set(chunk.text.split()) == {word for piece in pieces for word in piece.text.split()}


@settings(max_examples=100, deadline=None)
@given(
    content=st.text(alphabet="ab .\n#!?。é漢\t", max_size=600),
    title=st.text(alphabet="ab ", min_size=1, max_size=90),
    prefix=st.sampled_from(["", "passage: "]),
)
def test_whatever_the_chunk_its_pieces_are_smaller_and_nothing_is_lost(
    content: str, title: str, prefix: str
) -> None:
    for chunk in chunks_of(title, content, budget=120, overlap=0, count=estimate, prefix=prefix):
        for piece in smaller(chunk, count=estimate, prefix=prefix):
            assert estimate(piece.text) < estimate(chunk.text)
            assert piece.text.startswith(prefix)
            assert chunk.start <= piece.start <= piece.end <= chunk.end
        covered = {
            n
            for piece in smaller(chunk, count=estimate, prefix=prefix) or [chunk]
            for n in range(piece.start, piece.end)
        }
        assert all(n in covered or content[n].isspace() for n in range(chunk.start, chunk.end))
