"""Known embedding models: width, maximum text length, and the prefixes of texts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True)
class ModelSpec:
    """`max_tokens` is the model's limit per text; chunks have at most `chunk_tokens`, title and prefix included."""

    dimensions: int
    max_tokens: int
    chunk_tokens: int
    query_prefix: str = ""
    document_prefix: str = ""


_E5 = ("query: ", "passage: ")
_RETRIEVE = "Represent this sentence for searching relevant passages: "
_NOMIC = ("search_query: ", "search_document: ")
_INSTRUCT = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "

# Sources: each model's published card. Small chunks retrieve better than whole pages.
KNOWN: dict[str, ModelSpec] = {
    "all-MiniLM-L6-v2": ModelSpec(384, 256, 250),
    "text-embedding-3-small": ModelSpec(1536, 8192, 512),
    "text-embedding-3-large": ModelSpec(3072, 8192, 512),
    "text-embedding-ada-002": ModelSpec(1536, 8192, 512),
    "nomic-embed-text": ModelSpec(768, 2048, 512, *_NOMIC),
    "mxbai-embed-large": ModelSpec(1024, 512, 340, _RETRIEVE, ""),
    "all-minilm": ModelSpec(384, 256, 200),
    "all-MiniLM-L12-v2": ModelSpec(384, 128, 100),
    "all-mpnet-base-v2": ModelSpec(768, 384, 256),
    "paraphrase-multilingual-MiniLM-L12-v2": ModelSpec(384, 128, 100),
    "bge-m3": ModelSpec(1024, 8192, 512),
    "bge-small-en-v1.5": ModelSpec(384, 512, 340, _RETRIEVE, ""),
    "bge-base-en-v1.5": ModelSpec(768, 512, 340, _RETRIEVE, ""),
    "bge-large-en-v1.5": ModelSpec(1024, 512, 340, _RETRIEVE, ""),
    "embeddinggemma": ModelSpec(768, 2048, 512, "task: search result | query: ", "title: none | text: "),
    "e5-small-v2": ModelSpec(384, 512, 340, *_E5),
    "e5-base-v2": ModelSpec(768, 512, 340, *_E5),
    "e5-large-v2": ModelSpec(1024, 512, 340, *_E5),
    "multilingual-e5-small": ModelSpec(384, 512, 400, *_E5),
    "multilingual-e5-base": ModelSpec(768, 512, 400, *_E5),
    "multilingual-e5-large": ModelSpec(1024, 512, 400, *_E5),
    "multilingual-e5-large-instruct": ModelSpec(1024, 512, 340, _INSTRUCT, ""),
    "gte-small": ModelSpec(384, 512, 340),
    "gte-base": ModelSpec(768, 512, 340),
    "gte-large": ModelSpec(1024, 512, 340),
    "snowflake-arctic-embed-m-v1.5": ModelSpec(768, 512, 340, _RETRIEVE, ""),
    "snowflake-arctic-embed-l-v2.0": ModelSpec(1024, 8192, 512, "query: ", ""),
    "Qwen3-Embedding-0.6B": ModelSpec(1024, 8192, 512, _INSTRUCT, ""),
    "mistral-embed": ModelSpec(1024, 8192, 512),
}
# The same model under its name at a hub.
_ALIASES = {
    "mxbai-embed-large-v1": "mxbai-embed-large",
    "nomic-embed-text-v1": "nomic-embed-text",
    "nomic-embed-text-v1.5": "nomic-embed-text",
    "embeddinggemma-300m": "embeddinggemma",
    "qwen3-embedding:0.6b": "Qwen3-Embedding-0.6B",
}
_BY_NAME = {name.lower(): name for name in KNOWN} | _ALIASES
# What converters append to a name: "-q4", "-Q4_K_M.gguf", "-int8-onnx", "-f16"
_QUANTISED = re.compile(
    r"[-._:](?:i?q[1-8](?:[_-][0-9k](?:_[sml])?)?|u?int[48]|[48]-?bit|b?f(?:p)?(?:16|32)|onnx|gguf|ggml|mlx|quantized)$"
)
_MOST_SUFFIXES = 4
_OF_LM_STUDIO = "text-embedding-"


def canonical(model: str) -> str:
    """The name in KNOWN of a model under another spelling: with an organisation in front, with a tag, quantised, or in
    other capitals; the given name if it is not known."""
    if model in KNOWN:
        return model
    name = model.rpartition("/")[2].lower()
    for candidate in (name, name.removeprefix(_OF_LM_STUDIO), name.partition(":")[0]):
        for _ in range(_MOST_SUFFIXES):
            if candidate in _BY_NAME:
                return _BY_NAME[candidate]
            candidate = _QUANTISED.sub("", candidate)
    return model


def own_width(model: str) -> int | None:
    """The width of a known model's vectors as it makes them; None for other models."""
    known = KNOWN.get(canonical(model))
    return known.dimensions if known else None


def spec_of(model: str, dimensions: int = 0) -> ModelSpec:
    """The spec of a model; `dimensions` overrides its width (0: the known one).

    Raises ImproperlyConfigured for an unknown model whose width was not given.
    """
    known = KNOWN.get(canonical(model))
    if known:
        return replace(known, dimensions=dimensions) if dimensions else known
    if not dimensions:
        raise ImproperlyConfigured(
            f"EMBEDDING_MODEL holds {model!r}, which Vectorpress does not know; set the width of its vectors "
            "in EMBEDDING_DIMENSIONS, and what it expects in front of texts in EMBEDDING_QUERY_PREFIX and "
            f"EMBEDDING_DOCUMENT_PREFIX, or choose one of {', '.join(KNOWN)}."
        )
    return ModelSpec(dimensions, 512, 340)


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
