"""Which text of a refused request is at fault, and what its refusal may say; whole batches are in
tests/queueops/engine/test_bisection.py and test_too_long.py."""

import pytest

from embeddings.indexing import isolation
from embeddings.models import Space
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.text.chunking import Chunk


@pytest.mark.parametrize(
    ("count", "kind", "numbers", "limit"),
    [
        (64, ErrorClass.TOO_LONG, (10,), 10),
        (64, ErrorClass.TOO_LONG, (64, 32), 32),
        (64, ErrorClass.TOO_LONG, (), None),
        (64, ErrorClass.TOO_LONG, (64,), None),
        (64, ErrorClass.TOO_LONG, (8192,), None),
        (64, ErrorClass.TOO_LONG, (0, 1), None),
        (64, ErrorClass.INVALID_INPUT, (10,), None),
    ],
)
def test_a_limit_is_taken_from_a_refusals_numbers_only_if_it_can_be_one(
    count: int, kind: ErrorClass, numbers: tuple[int, ...], limit: int | None
) -> None:
    assert isolation._limit_named(count, ProviderError(kind, "refused", numbers=numbers)) == limit


@pytest.mark.parametrize(
    ("text", "is_worth"), [("word", False), ("word " * 20, False), ("word " * 400, True)]
)
def test_only_a_text_of_some_length_is_tried_in_smaller_chunks(text: str, is_worth: bool) -> None:
    space = Space(provider="openai", model="fake-embed", dimensions=8, chunk_tokens=512)
    assert isolation.is_worth_cutting(space, Chunk(0, len(text), text)) is is_worth
