"""Token counts: exact for the local model, a cautious estimate for models whose tokenizer we lack."""

from collections.abc import Callable

from embeddings.model_catalogue import canonical
from embeddings.servers.local_embedder import wordpiece

TokenCounter = Callable[[str], int]

# Byte-level tokenizers never need more tokens than bytes, and measured texts have 2.5 (code) to 4.3 (prose) bytes
# per token; three is cautious, and a refusal by the provider is still handled.
_BYTES_PER_TOKEN = 3


def estimate(text: str) -> int:
    """A cautious estimate for any model: one token per three bytes of UTF-8."""
    # byte_length's words again: a call for each of a batch's texts shows
    return -(-(len(text) if text.isascii() else len(text.encode())) // _BYTES_PER_TOKEN)


def byte_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def counter_for(model: str) -> TokenCounter:
    """The exact counter if we have the model's tokenizer, else `estimate`."""
    return wordpiece.count if canonical(model) == "all-MiniLM-L6-v2" else estimate


def tokenizer_of(model: str) -> str:
    """Its name and version in a space's recipe: raise the version with every change that counts any text otherwise."""
    return _NAMES[counter_for(model)]


_NAMES: dict[TokenCounter, str] = {wordpiece.count: "wordpiece 1", estimate: "estimate 1"}
