"""The local embedder, as a real process with its real model."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from embeddings.servers.local_embedder import model
from tests.embeddings.servers.local_embedder.requests import ask, rows
from tests.providers import ProviderProcess

pytestmark = pytest.mark.process


@pytest.fixture
def embedder(on_socket: ProviderProcess) -> ProviderProcess:
    return on_socket


# --- vectors


def test_vectors_have_384_numbers_and_unit_length(embedder: ProviderProcess) -> None:
    found = rows(ask(embedder, ["a text", "another, rather longer text about something else", " "]))
    assert found.shape == (3, model.DIMENSIONS)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_text_is_nearer_to_one_that_means_the_same_than_to_one_that_shares_words(
    embedder: ProviderProcess,
) -> None:
    query, same_meaning, same_words = rows(
        ask(embedder, ["How do I unpack an archive?", "extracting a zip file", "How do I bake a cake?"])
    )
    assert query @ same_meaning > query @ same_words + 0.2


def test_the_vector_is_that_of_the_published_model(embedder: ProviderProcess) -> None:
    """The numbers that the model's documentation shows for these two sentences, give or take int8 weights."""
    found = rows(ask(embedder, ["This is an example sentence", "Each sentence is converted"]))
    assert found[0, :3] == pytest.approx([0.0677, 0.0635, 0.0487], abs=0.01)
    assert found[1, :3] == pytest.approx([0.0864, 0.1028, 0.0054], abs=0.01)


def test_a_vector_does_not_depend_on_the_texts_beside_it(embedder: ProviderProcess) -> None:
    texts = [("word " * length).strip() for length in (1, 3, 40, 7, 200, 7, 2, 12, 30, 5)]
    together = rows(ask(embedder, texts))
    alone = np.concatenate([rows(ask(embedder, text)) for text in texts])
    assert np.abs(together - alone).max() < 1e-6


# --- refusals


# --- many at once


def test_requests_from_many_threads_get_their_own_vectors(embedder: ProviderProcess) -> None:
    texts = [f"text number {number}" for number in range(24)]
    expected = rows(ask(embedder, texts))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: rows(ask(embedder, text))[0], texts))
    assert np.abs(np.array(found) - expected).max() < 1e-6


def test_a_search_is_answered_while_a_large_request_is_still_worked_on(embedder: ProviderProcess) -> None:
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(ask, embedder, [f"{number} " + "word " * 60 for number in range(60)])
        for _ in range(3):
            ask(embedder, "a search")
        assert not large.done()
        assert len(rows(large.result())) == 60
