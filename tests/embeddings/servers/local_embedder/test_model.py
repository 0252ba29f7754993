"""How texts are put together for the model; test_server.py has its vectors."""

import importlib.util

import numpy as np
import pytest

from embeddings.servers.local_embedder import model


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([], []),
        ([5], [[0]]),
        ([300, 4, 300], [[1], [0], [2]]),
        ([100, 3, 100, 3], [[1, 3], [0, 2]]),
        ([1] * 10, [[0, 1, 2, 3, 4, 5, 6, 7], [8, 9]]),
        ([512, 511], [[1], [0]]),
    ],
)
def test_texts_are_batched_with_those_of_like_length(lengths: list[int], expected: list[list[int]]) -> None:
    assert list(model.batches(lengths)) == expected


@pytest.mark.parametrize("lengths", [[1] * 2_048, list(range(1, 513)), [512] * 20, [32] * 9])
def test_every_text_is_in_one_batch_of_few_texts_and_tokens(lengths: list[int]) -> None:
    found = list(model.batches(lengths))
    assert sorted(position for batch in found for position in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) <= 8
        assert len(batch) == 1 or len(batch) * max(lengths[position] for position in batch) <= 256


def test_only_tokens_that_are_there_count_for_the_mean() -> None:
    hidden = np.array([[[3, 4], [3, 4], [90, -90]], [[0, 2], [9, 9], [9, 9]]], np.float32)
    mask = np.array([[1, 1, 0], [1, 0, 0]], np.int64)
    assert model._pool(hidden, mask) == pytest.approx(np.array([[0.6, 0.8], [0, 1]]))


def test_a_model_that_is_not_installed_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(model.ModelMissing, match="EMBEDDING_PROVIDER"):
        model._model_file()


def test_another_file_in_the_place_of_the_model_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "_SHA256", "0" * 64)
    with pytest.raises(model.ModelMissing, match="checksum"):
        model._model_file()
