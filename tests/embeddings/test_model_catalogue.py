"""What is known of models."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from embeddings.model_catalogue import KNOWN, PRICES, ModelSpec, canonical, own_width, price_of, spec_of


@pytest.mark.parametrize("name", KNOWN)
def test_chunks_of_a_known_model_fit_with_what_stands_in_front_of_them(name: str) -> None:
    spec = spec_of(name)
    assert 0 < spec.chunk_tokens <= spec.max_tokens
    assert 1 <= spec.dimensions <= 16_000
    assert len(spec.document_prefix) < spec.chunk_tokens


@pytest.mark.parametrize("name", ["nomic-embed-text:latest", "nomic-embed-text:v1.5", "nomic-embed-text"])
def test_a_tag_of_ollama_is_passed_over(name: str) -> None:
    assert spec_of(name) is KNOWN["nomic-embed-text"]


@pytest.mark.parametrize(
    ("given", "known"),
    [
        *((name, name) for name in KNOWN),
        *((name.upper(), name) for name in KNOWN),
        ("intfloat/multilingual-e5-small", "multilingual-e5-small"),
        ("multilingual-e5-small-q4", "multilingual-e5-small"),
        ("sentence-transformers/all-MiniLM-L6-v2", "all-MiniLM-L6-v2"),
        ("nomic-ai/nomic-embed-text-v1.5", "nomic-embed-text"),
        ("nomic-embed-text-v1.5.Q4_K_M.gguf", "nomic-embed-text"),
        ("text-embedding-nomic-embed-text-v1.5", "nomic-embed-text"),
        ("BAAI/bge-small-en-v1.5-onnx-int8", "bge-small-en-v1.5"),
        ("gpustack/bge-m3-GGUF:Q8_0", "bge-m3"),
        ("bge-m3:567m-fp16", "bge-m3"),
        ("google/embeddinggemma-300m", "embeddinggemma"),
        ("mixedbread-ai/mxbai-embed-large-v1", "mxbai-embed-large"),
        ("e5-small-v2-4bit", "e5-small-v2"),
        ("qwen3-embedding:0.6b", "Qwen3-Embedding-0.6B"),
        ("unknown", "unknown"),
        ("unknown-q4", "unknown-q4"),
        ("e5-small", "e5-small"),
        ("", ""),
        ("-q4" * 1_000, "-q4" * 1_000),
    ],
)
def test_a_model_is_known_under_its_other_names(given: str, known: str) -> None:
    assert canonical(given) == known


def test_only_a_known_model_has_a_width_of_its_own() -> None:
    assert own_width("intfloat/multilingual-e5-small") == 384
    assert own_width("unknown") is None


def test_a_hub_name_brings_the_prefixes_even_where_a_width_is_given() -> None:
    spec = spec_of("intfloat/multilingual-e5-small", 384)
    assert (spec.query_prefix, spec.document_prefix) == ("query: ", "passage: ")


def test_another_width_keeps_the_rest() -> None:
    known = KNOWN["nomic-embed-text"]
    assert spec_of("nomic-embed-text", 256) == ModelSpec(
        256, known.max_tokens, known.chunk_tokens, known.query_prefix, known.document_prefix
    )


def test_an_unknown_model_needs_its_width_and_gets_small_chunks() -> None:
    with pytest.raises(ImproperlyConfigured, match="EMBEDDING_DIMENSIONS"):
        spec_of("unknown")
    spec = spec_of("unknown", 99)
    assert (spec.dimensions, spec.query_prefix, spec.document_prefix) == (99, "", "")
    assert spec.chunk_tokens <= min(known.chunk_tokens for known in KNOWN.values() if known.max_tokens >= 512)


@pytest.mark.parametrize(
    ("provider", "model", "own", "price"),
    [
        ("openai", "text-embedding-3-small", {}, PRICES["text-embedding-3-small"]),
        ("openai", "text-embedding-3-small", {"text-embedding-3-small": 0.0}, 0.0),
        ("openai", "unknown", {}, None),
        ("openai", "unknown", {"unknown": 3.5}, 3.5),
        ("ollama", "bge-m3", {}, 0.0),
        ("local", "all-MiniLM-L6-v2", {"all-MiniLM-L6-v2": 1.0}, 1.0),
    ],
)
def test_ones_own_price_comes_before_the_list_and_ones_own_machine_costs_nothing(
    provider: str, model: str, own: dict[str, float], price: float | None
) -> None:
    assert price_of(provider, model, own) == price
