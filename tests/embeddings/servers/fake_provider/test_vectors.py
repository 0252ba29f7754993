"""Vectors depend on the text alone and have unit length."""

import base64
import json

import numpy as np
import pytest

from embeddings.servers.fake_provider.vectors import (
    as_base64,
    as_numbers,
    from_pool,
    from_words,
    word_vectors,
)

ODD = ["", " ", "…", "\ud800", "\x00", "日本語", "a" * 100_000, "word " * 1_000]


@pytest.mark.parametrize("dimensions", [1, 2, 16, 384])
def test_every_text_has_a_direction(dimensions: int) -> None:
    found = word_vectors(ODD, dimensions)
    assert found.shape == (len(ODD), dimensions)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_vector_does_not_depend_on_its_neighbours() -> None:
    together = word_vectors(["a b", "c", "d e f"], 64)
    assert np.array_equal(together[1], word_vectors(["c"], 64)[0])


def test_words_count_once_in_any_case_and_order() -> None:
    one, other = word_vectors(["Read a FILE, read", "file a read"], 64)
    assert np.array_equal(one, other)


def test_texts_that_share_words_are_nearer() -> None:
    query, near, far = word_vectors(["read a zip file", "read a zip", "bake bread slowly"], 384)
    assert query @ near > 0.5 > abs(query @ far)


def test_no_texts_make_no_vectors() -> None:
    assert word_vectors([], 8).shape == (0, 8)
    assert from_words([], 8, as_numbers) == from_pool([], 8, as_numbers) == []


def test_the_pool_gives_a_text_the_same_vector_each_time() -> None:
    once, again = from_pool(["a", "b", "a"], 8, as_base64), from_pool(["a"], 8, as_base64)
    assert once[0] == once[2] == again[0] != once[1]
    vector = np.frombuffer(base64.b64decode(json.loads(once[0])), "<f4")
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_both_ways_of_writing_say_the_same_numbers() -> None:
    vector = np.array([0.5, -1e-30, 3.4e38], np.float32)
    numbers = np.array(json.loads(as_numbers(vector)), np.float32)
    assert np.array_equal(numbers, np.frombuffer(base64.b64decode(json.loads(as_base64(vector))), "<f4"))


def test_what_is_not_a_number_is_written_as_python_servers_do() -> None:
    assert as_numbers(np.array([np.nan, 1], np.float32)) == b"[NaN,1]"
