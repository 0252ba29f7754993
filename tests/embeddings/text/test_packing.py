"""Requests stay inside a provider's limits."""

import pytest

from embeddings.text.packing import packs


@pytest.mark.parametrize(
    ("tokens", "max_inputs", "max_tokens", "sizes"),
    [
        ([], 10, 100, []),
        ([5, 5, 5], 10, 100, [3]),
        ([5, 5, 5], 2, 100, [2, 1]),
        ([60, 60, 60], 10, 100, [1, 1, 1]),
        ([60, 40, 60], 10, 100, [2, 1]),
        ([500, 1], 10, 100, [1, 1]),  # the provider, not we, refuses it
        ([1, 500, 1], 10, 100, [1, 1, 1]),
        ([0, 0, 0], 2, 0, [2, 1]),
    ],
)
def test_packs_have_no_more_texts_or_tokens_than_allowed(
    tokens: list[int], max_inputs: int, max_tokens: int, sizes: list[int]
) -> None:
    found = list(packs(tokens, lambda: max_inputs, lambda: max_tokens))
    assert [s.stop - s.start for s in found] == sizes
    assert [n for s in found for n in tokens[s]] == tokens


def test_a_pack_is_as_large_as_is_allowed_when_its_turn_comes() -> None:
    allowed = iter([1, 2, 3])
    found = list(packs([1] * 6, lambda: 10, lambda: next(allowed)))
    assert [s.stop - s.start for s in found] == [1, 2, 3]
