"""How many tokens a text has."""

import pytest

from embeddings.servers.local_embedder import wordpiece
from embeddings.text.tokens import byte_length, counter_for, estimate


@pytest.mark.parametrize(
    ("text", "length", "tokens"),
    [("", 0, 0), ("a", 1, 1), ("abc", 3, 1), ("abcd", 4, 2), ("ä", 2, 1), ("日本", 6, 2), ("🙂", 4, 2),
     ("a" * 3_000_000, 3_000_000, 1_000_000)],
)  # fmt: skip
def test_a_guess_counts_three_bytes_as_a_token(text: str, length: int, tokens: int) -> None:
    assert (byte_length(text), estimate(text)) == (length, tokens)


def test_only_a_model_whose_tokens_we_know_is_counted_exactly() -> None:
    assert counter_for("all-MiniLM-L6-v2") is wordpiece.count
    assert counter_for("text-embedding-3-small") is estimate
