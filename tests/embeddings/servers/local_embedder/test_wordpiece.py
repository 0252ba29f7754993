"""The WordPiece tokenizer agrees with the reference and counts what it encodes."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings.servers.local_embedder import wordpiece

HERE = Path(__file__).parent
# Written by the reference library `tokenizers` 0.23 from the model's own tokenizer.json.
CASES = [(case["text"], case["ids"]) for case in json.loads((HERE / "wordpiece_cases.json").read_text())]


@pytest.mark.parametrize(("text", "ids"), CASES, ids=[ascii(text)[:40] for text, _ in CASES])
def test_the_ids_are_those_of_the_reference_tokenizer(text: str, ids: list[int]) -> None:
    assert wordpiece.encode(text) == ids


def test_the_vocabulary_is_that_of_bert_base_uncased() -> None:
    vocabulary = Path(wordpiece.__file__).with_name("vocab.txt").read_bytes()
    pieces = vocabulary.decode().splitlines()
    assert len(pieces) == 30_522
    assert [pieces.index(mark) for mark in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")] == [0, 100, 101, 102]
    published = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
    assert hashlib.sha256(vocabulary).hexdigest() == published


@settings(deadline=None)
@given(st.text())
def test_any_text_is_encoded_and_counted_alike(text: str) -> None:
    ids = wordpiece.encode(text, limit=10**6)
    assert wordpiece.count(text) == len(ids) - wordpiece.SPECIALS
    assert ids[0] == wordpiece.START
    assert ids[-1] == wordpiece.END


@settings(deadline=None)
@given(st.text(), st.text())
def test_the_count_of_two_texts_is_the_sum_of_theirs(one: str, other: str) -> None:
    assert wordpiece.count(f"{one} {other}") == wordpiece.count(one) + wordpiece.count(other)


def test_a_lone_surrogate_counts_for_nothing() -> None:
    assert wordpiece.encode("one\ud800two") == wordpiece.encode("onetwo")


def test_a_text_cannot_smuggle_in_a_control_token() -> None:
    assert wordpiece.encode("[SEP]") == [101, 1031, 19802, 1033, 102]


def test_a_text_at_the_limit_is_encoded_and_one_token_more_is_refused_with_both_numbers() -> None:
    assert len(wordpiece.encode("word " * 510)) == wordpiece.MAX_TOKENS
    with pytest.raises(wordpiece.TooManyTokens, match=r"513 tokens, the limit is 512"):
        wordpiece.encode("word " * 511)


def test_megabytes_without_a_space_are_counted_without_being_kept() -> None:
    assert wordpiece.count("x" * 1_000_000) == 1
    assert wordpiece.count("!" * 100_000) == 100_000
