"""Ollama's own protocol; what it has in common with OpenAI's is tested here for both."""

import resource

import numpy as np
import pytest

from embeddings.providers.endpoint import Endpoint
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.providers.ollama import OllamaProvider
from embeddings.providers.openai import OpenAIProvider
from tests.providers import FakeProvider

TEXTS = ["read a zip file", "parse command line options", "run code in another thread"]


@pytest.fixture
def openai(provider: FakeProvider) -> OpenAIProvider:
    return OpenAIProvider(Endpoint(provider.url + "/v1"), "fake-embed", 64)


@pytest.fixture
def ollama(provider: FakeProvider) -> OllamaProvider:
    return OllamaProvider(Endpoint(provider.url), "fake-embed", 64)


def test_ollama_gives_the_same_vectors_in_its_own_protocol(
    openai: OpenAIProvider, ollama: OllamaProvider
) -> None:
    np.testing.assert_allclose(ollama.embed(TEXTS, 5), openai.embed(TEXTS, 5), atol=1e-6)


@pytest.mark.parametrize("fault", ["short", "wrong_width", "nan", "zero", "html", "cut"])
def test_ollamas_faulty_answers_are_refused_too(
    ollama: OllamaProvider, provider: FakeProvider, fault: str
) -> None:
    provider.config(fail_next=[fault])
    with pytest.raises(ProviderError):
        ollama.embed(TEXTS, 5)


def test_a_reply_far_larger_than_its_vectors_is_not_read_to_its_end(
    openai: OpenAIProvider, ollama: OllamaProvider, provider: FakeProvider
) -> None:
    provider.config(huge_mb=50)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for one in (openai, ollama):
        provider.config(fail_next=["huge"])
        with pytest.raises(ProviderError, match="returned more than") as caught:
            one.embed(TEXTS, 20)
        assert caught.value.kind is ErrorClass.TRANSIENT
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024  # KiB


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("429", ErrorClass.RATE_LIMITED),
        ("404", ErrorClass.PROVIDER_DOWN),
        ("413", ErrorClass.TOO_LONG),
        ("short", ErrorClass.TRANSIENT),
    ],
)
def test_its_errors_are_classed_like_those_of_others(
    ollama: OllamaProvider, provider: FakeProvider, fault: str, kind: ErrorClass
) -> None:
    provider.config(fail_next=[fault])
    with pytest.raises(ProviderError) as caught:
        ollama.embed(TEXTS, 5)
    assert caught.value.kind is kind


def test_a_text_that_is_too_long_is_refused_and_not_cut(
    ollama: OllamaProvider, provider: FakeProvider
) -> None:
    provider.config(max_tokens_per_text=10)
    with pytest.raises(ProviderError) as caught:
        ollama.embed(["x" * 100], 5)
    assert caught.value.kind is ErrorClass.TOO_LONG


def test_a_width_that_was_not_asked_for_is_unusable(provider: FakeProvider) -> None:
    with pytest.raises(ProviderError):
        OllamaProvider(Endpoint(provider.url), "fake-embed", 63).embed(TEXTS, 5)
