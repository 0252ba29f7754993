"""Vectors come back whatever dialect of OpenAI's protocol a server speaks, and nothing unusable gets in."""

import time

import numpy as np
import pytest

from embeddings.providers.endpoint import Endpoint
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.providers.openai import OpenAIProvider
from tests.providers import FakeProvider

pytestmark = pytest.mark.process

TEXTS = ["read a zip file", "parse command line options", "run code in another thread"]


@pytest.fixture
def openai(provider: FakeProvider) -> OpenAIProvider:
    return OpenAIProvider(Endpoint(provider.url + "/v1"), "fake-embed", 64)


def test_vectors_come_back_in_the_order_of_the_texts(openai: OpenAIProvider) -> None:
    together = openai.embed(TEXTS, 5)
    alone = np.vstack([openai.embed([text], 5) for text in TEXTS])
    assert together.shape == (3, 64)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("options", [{"no_base64": True}, {"no_usage": True}])
def test_lesser_servers_are_understood(openai: OpenAIProvider, options: dict[str, bool]) -> None:
    with FakeProvider(dimensions=64, **options) as lesser:
        found = OpenAIProvider(Endpoint(lesser.url + "/v1"), "fake-embed", 64).embed(TEXTS, 5)
    np.testing.assert_allclose(found, openai.embed(TEXTS, 5), atol=1e-6)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("short", ErrorClass.TRANSIENT),
        ("duplicated", ErrorClass.TRANSIENT),
        ("scrambled_index", ErrorClass.TRANSIENT),
        ("wrong_width", ErrorClass.TRANSIENT),
        ("nan", ErrorClass.TRANSIENT),
        ("zero", ErrorClass.TRANSIENT),
        ("html", ErrorClass.TRANSIENT),
        ("cut", ErrorClass.PROVIDER_LOST),
        ("500", ErrorClass.TRANSIENT),
        ("429", ErrorClass.RATE_LIMITED),
        ("401", ErrorClass.AUTH),
        ("402", ErrorClass.AUTH),
        ("403", ErrorClass.AUTH),
        ("quota", ErrorClass.AUTH),
        ("404", ErrorClass.PROVIDER_DOWN),
        ("502", ErrorClass.PROVIDER_DOWN),
        ("503", ErrorClass.PROVIDER_DOWN),
        ("504", ErrorClass.PROVIDER_DOWN),
        ("413", ErrorClass.TOO_LONG),
    ],
)
def test_a_faulty_answer_is_refused_and_classed(
    openai: OpenAIProvider, provider: FakeProvider, fault: str, kind: ErrorClass
) -> None:
    provider.config(fail_next=[fault])
    with pytest.raises(ProviderError) as caught:
        openai.embed(TEXTS, 5)
    assert caught.value.kind is kind
    assert not any(text in str(caught.value) for text in TEXTS)


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_server_that_hangs_or_drips_is_left_at_the_deadline(
    openai: OpenAIProvider, provider: FakeProvider, fault: str
) -> None:
    provider.config(fail_next=[fault], hang_s=5)
    started = time.monotonic()
    with pytest.raises(ProviderError) as caught:
        openai.embed(TEXTS, 0.3)
    assert caught.value.kind is ErrorClass.TRANSIENT
    assert time.monotonic() - started < 2


def test_a_refusal_of_base64_is_distinguished_from_a_refusal_of_the_text(
    openai: OpenAIProvider, provider: FakeProvider
) -> None:
    provider.config(poison="POISON")
    for asked in ("first", "later"):
        with pytest.raises(ProviderError) as caught:
            openai.embed(["POISON"], 5)
        assert caught.value.kind is ErrorClass.INVALID_INPUT, asked
    assert provider.stats()["requests"] == 3  # one more, to find out
    assert openai.embed(TEXTS, 5).shape == (3, 64)
    assert openai._form.fields == ("encoding_format",)


def test_a_server_that_refuses_base64_is_asked_for_numbers_from_then_on(provider: FakeProvider) -> None:
    with FakeProvider(dimensions=64, refuse_fields=["encoding_format"]) as lesser:
        asking = OpenAIProvider(Endpoint(lesser.url + "/v1"), "fake-embed", 64)
        assert [asking.embed(TEXTS, 5).shape for _ in range(2)] == [(3, 64), (3, 64)]
        assert lesser.stats()["status"] == {"200": 3, "400": 3}  # the texts, and a harmless one twice


def test_a_server_that_refuses_even_a_harmless_text_is_not_set_up_and_no_text_is_to_blame(
    openai: OpenAIProvider, provider: FakeProvider
) -> None:
    provider.config(poison="e")
    with pytest.raises(ProviderError, match="even a harmless one: check the address") as caught:
        openai.embed(TEXTS, 5)
    assert caught.value.kind is ErrorClass.PROVIDER_DOWN


def test_retry_after_travels_with_the_error(openai: OpenAIProvider, provider: FakeProvider) -> None:
    provider.config(rate_429=1, retry_after=7)
    with pytest.raises(ProviderError) as caught:
        openai.embed(TEXTS, 5)
    assert caught.value.retry_after == 7


def test_the_key_goes_to_the_server_and_into_no_error(provider: FakeProvider) -> None:
    bearer = {"authorization": "Bearer sk-very-secret"}
    keyed = OpenAIProvider(Endpoint(provider.url + "/v1"), "fake-embed", 64, headers=bearer)
    provider.config(fail_next=["401"])
    with pytest.raises(ProviderError) as caught:
        keyed.embed(TEXTS, 5)
    assert "sk-very-secret" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_server_that_nobody_runs_is_down() -> None:
    with pytest.raises(ProviderError) as caught:
        OpenAIProvider(Endpoint("http://127.0.0.1:9/v1"), "m", 64).embed(TEXTS, 5)
    assert caught.value.kind is ErrorClass.PROVIDER_DOWN


def test_connections_are_reused(openai: OpenAIProvider, provider: FakeProvider) -> None:
    for _ in range(5):
        openai.embed(TEXTS, 5)
    assert provider.stats()["requests"] == 5
