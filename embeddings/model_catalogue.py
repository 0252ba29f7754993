"""Known embedding models: width, maximum text length, and the prefixes of texts."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True)
class ModelSpec:
    """`max_tokens` is the model's limit per text; chunks have at most `chunk_tokens`, title and prefix included."""

    dimensions: int
    max_tokens: int
    chunk_tokens: int
    query_prefix: str = ""
    document_prefix: str = ""


# Sources: each model's published card. Small chunks retrieve better than whole pages.
KNOWN: dict[str, ModelSpec] = {
    "all-MiniLM-L6-v2": ModelSpec(384, 256, 250),
    "text-embedding-3-small": ModelSpec(1536, 8192, 512),
    "text-embedding-3-large": ModelSpec(3072, 8192, 512),
    "text-embedding-ada-002": ModelSpec(1536, 8192, 512),
    "nomic-embed-text": ModelSpec(768, 2048, 512, "search_query: ", "search_document: "),
    "mxbai-embed-large": ModelSpec(
        1024, 512, 340, "Represent this sentence for searching relevant passages: ", ""
    ),
    "all-minilm": ModelSpec(384, 256, 200),
    "bge-m3": ModelSpec(1024, 8192, 512),
    "embeddinggemma": ModelSpec(768, 2048, 512, "task: search result | query: ", "title: none | text: "),
    "multilingual-e5-small": ModelSpec(384, 512, 400, "query: ", "passage: "),
}


def spec_of(model: str, dimensions: int = 0) -> ModelSpec:
    """The spec of a model; `dimensions` overrides its width (0: the known one).

    Raises ImproperlyConfigured for an unknown model whose width was not given.
    """
    known = KNOWN.get(model) or KNOWN.get(
        model.partition(":")[0]
    )  # Ollama adds a tag: nomic-embed-text:latest
    if known and not dimensions:
        return known
    if not dimensions:
        raise ImproperlyConfigured(
            f"EMBEDDING_MODEL holds {model!r}, which Vectorpress does not know; set the width of its vectors "
            f"in EMBEDDING_DIMENSIONS, or choose one of {', '.join(KNOWN)}."
        )
    if not known:
        return ModelSpec(dimensions, 512, 340)
    return ModelSpec(
        dimensions, known.max_tokens, known.chunk_tokens, known.query_prefix, known.document_prefix
    )


# Dollars per million tokens. Source: the provider's public price list, standard tier, May 2026.
PRICES: dict[str, float] = {
    "text-embedding-3-small": 0.02,
    "text-embedding-3-large": 0.13,
    "text-embedding-ada-002": 0.10,
}
_OWN_MACHINE = ("local", "ollama")


def price_of(provider: str, model: str, own: Mapping[str, float]) -> float | None:
    """Dollars per million tokens: from `own`, 0 on an own machine, else from the price list; None if unknown."""
    if model in own:
        return own[model]
    return 0.0 if provider in _OWN_MACHINE else PRICES.get(model)
