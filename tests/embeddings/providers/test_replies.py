"""Vectors are checked before anything is done with them."""

import base64
from typing import Any

import numpy as np
import pytest

from embeddings.providers.errors import ProviderError
from embeddings.providers.replies import in_order, matrix_of, most_bytes


def b64(*numbers: float) -> str:
    return base64.b64encode(np.array(numbers, dtype="<f4").tobytes()).decode()


def test_base64_and_lists_give_the_same_matrix() -> None:
    np.testing.assert_array_equal(matrix_of([b64(1, 2), b64(3, 4)], 2), matrix_of([[1, 2], [3.0, 4]], 2))


@pytest.mark.parametrize(
    "vectors",
    [
        [[1.0, 2.0], [1.0]],
        [b64(1, 2), b64(1)],
        ["no base64!"],
        [[1.0, float("nan")]],
        [b64(1, float("inf"))],
        [[1e39, 1.0]],  # too large for a float4
        [[0, 0]],
        [None],
        [[1.0, "x"]],
        [[1.0, None]],
        [[1.0, [2.0]]],
        [{"a": 1}],
        [b64(1, 2), [1.0, 2.0]],
    ],
)
def test_unusable_vectors_are_refused(
    vectors: list[list[float | str | list[float] | None] | str | dict[str, int] | None],
) -> None:
    with pytest.raises(ProviderError, match="unusable"):
        matrix_of(vectors, 2)


def test_items_are_put_in_the_order_of_their_indexes() -> None:
    items = [{"index": 1, "embedding": "b"}, {"index": 0, "embedding": "a"}]
    assert in_order(items, 2) == ["a", "b"]


def test_items_without_an_index_keep_their_order() -> None:
    assert in_order([{"embedding": "a"}, {"embedding": "b"}], 2) == ["a", "b"]


@pytest.mark.parametrize(
    "items",
    [
        None,
        {},
        [],
        [{"index": 0, "embedding": "a"}],
        [{"index": 0, "embedding": "a"}, {"index": 0, "embedding": "b"}],
        [{"index": 0, "embedding": "a"}, {"index": 2, "embedding": "b"}],
        [{"index": 0, "embedding": "a"}, {"index": -1, "embedding": "b"}],
        [{"index": 0, "embedding": "a"}, {"index": "x", "embedding": "b"}],
        [{"index": 0, "embedding": "a"}, {"index": True, "embedding": "b"}],
        ["a", "b"],
    ],
)
def test_ambiguous_items_are_refused(items: dict[Any, Any] | list[dict[str, Any] | str] | None) -> None:
    with pytest.raises(ProviderError, match="unusable"):
        in_order(items, 2)


def test_the_longest_legal_reply_is_within_its_bound() -> None:
    number = "-1.7976931348623157e-308, "
    vector = "[" + number * 384 + "]"
    reply = (
        '{"data": [' + ('{"object": "embedding", "index": 2047, "embedding": ' + vector + "}, ") * 100 + "]}"
    )
    assert len(reply) < most_bytes(100, 384) < 2 * len(reply)
