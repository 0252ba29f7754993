"""Servers that speak OpenAI's protocol and differ in something: learned at the first contact, once, by real HTTP."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from embeddings.providers.base import HARMLESS
from embeddings.providers.endpoint import Endpoint
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.providers.openai import OpenAIProvider, fields_of
from tests.providers import FakeProvider

pytestmark = pytest.mark.process

TEXTS = ["read a zip file", "parse command line options", "run code in another thread"]


def asking(provider: Any, dimensions: int = 64, path: str = "/v1", **fields: Any) -> OpenAIProvider:
    asked = fields_of(dimensions, **fields)
    return OpenAIProvider(Endpoint(provider.url + path), "fake-embed", dimensions, fields=asked)


def refused(openai: OpenAIProvider, texts: list[str] = TEXTS) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        openai.embed(texts, 5)
    return caught.value


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        (["encoding_format"], ("dimensions", "user")),
        (["dimensions"], ("encoding_format", "user")),
        (["user"], ("encoding_format", "dimensions")),
        (["encoding_format", "dimensions", "user"], ()),
    ],
)
def test_a_field_that_is_refused_is_left_out_whatever_the_status(
    provider: FakeProvider, fields: Any, kept: Any, status: int
) -> None:
    provider.config(refuse_fields=fields, refusal_status=status, vague=True)
    openai = asking(provider, extra={"user": "vectorpress"})
    assert openai.embed([HARMLESS], 5).shape == (1, 64)
    assert openai._form.fields == kept
    provider.config(reset=True)
    openai.embed(TEXTS, 5)
    assert provider.stats()["requests"] == 1, "learned once"


def test_a_learned_dialect_serves_every_thread(provider: FakeProvider) -> None:
    provider.config(refuse_fields=["encoding_format"], refusal_status=422)
    openai = asking(provider)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: openai.embed(TEXTS, 10), range(8)))
    assert {matrix.shape for matrix in found} == {(3, 64)}
    # at worst each thread is refused once; one of them learns by two refusals
    assert provider.stats()["status"]["422"] <= 4 + 2


def test_a_server_that_failed_by_itself_is_not_thought_to_speak_another_dialect(
    provider: FakeProvider,
) -> None:
    openai = asking(provider)
    provider.config(fail_next=["500"])
    assert refused(openai).kind is ErrorClass.TRANSIENT
    assert openai._form.fields == ("encoding_format", "dimensions")
    provider.config(rate_500=1)
    failing = asking(provider)
    for _ in range(3):
        assert refused(failing, [HARMLESS]).kind is ErrorClass.TRANSIENT
    assert provider.stats()["requests"] == 3 + 2, "without fields and as a text, tried once in a while"


def test_once_understood_a_refusal_is_about_the_texts(provider: FakeProvider) -> None:
    openai = asking(provider)
    openai.embed(TEXTS, 5)
    provider.config(poison="POISON", poison_status=500)
    assert refused(openai, ["POISON"]).kind is ErrorClass.TRANSIENT
    assert provider.stats()["requests"] == 1


def test_a_server_replaced_by_one_of_another_dialect_is_learned_again(provider: FakeProvider) -> None:
    openai = asking(provider)
    openai.embed(TEXTS, 5)
    provider.config(refuse_fields=["encoding_format"])
    for _ in range(7):
        refused(openai)
    assert openai.embed(TEXTS, 5).shape == (3, 64)


def test_a_width_that_is_demanded_is_never_left_out(provider: FakeProvider) -> None:
    provider.config(refuse_fields=["dimensions"])
    error = refused(asking(provider, is_demanded=True))
    assert error.kind is ErrorClass.PROVIDER_DOWN
    assert "accepts it without dimensions" in str(error)
    assert "EMBEDDING_SEND_DIMENSIONS" in str(error)


def test_a_field_of_the_operators_that_is_refused_is_named(provider: FakeProvider) -> None:
    provider.config(refuse_fields=["input_type"])
    error = refused(asking(provider, extra={"input_type": "passage"}))
    assert "accepts it without input_type: remove the one that it does not know" in str(error)


def test_queries_have_fields_of_their_own(provider: FakeProvider) -> None:
    provider.config(refuse_fields=["task"])
    openai = asking(provider, query={"task": "query"})
    assert openai.embed(TEXTS, 5).shape == (3, 64)
    with pytest.raises(ProviderError):
        openai.embed(TEXTS, 5, is_query=True)


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_server_that_takes_one_text_a_request_gets_one(provider: FakeProvider, status: int) -> None:
    provider.config(string_input=True, refusal_status=status)
    openai = asking(provider)
    openai.embed([HARMLESS], 5)
    found = openai.embed(TEXTS, 5)
    assert found.shape == (3, 64)
    provider.config(string_input=False)
    np.testing.assert_allclose(found, asking(provider).embed(TEXTS, 5), atol=1e-6)


@pytest.mark.parametrize("shape", [{"index": kind} for kind in ("null", "string", "float", "missing")])
@pytest.mark.parametrize("more", [{}, {"nested": True, "no_base64": True}, {"gzip": True}])
def test_replies_of_another_shape_bring_the_same_vectors(
    provider: FakeProvider, shape: Any, more: Any
) -> None:
    expected = asking(provider).embed(TEXTS, 5)
    provider.config(**shape, **more)
    np.testing.assert_allclose(asking(provider).embed(TEXTS, 5), expected, atol=1e-6)
    provider.config(no_base64=False)


@pytest.mark.parametrize("index", ["string", "float", "number"])
def test_vectors_in_another_order_are_put_right_by_any_index(provider: FakeProvider, index: str) -> None:
    expected = asking(provider).embed(TEXTS, 5)
    provider.config(index=index, fail_next=["reordered"])
    np.testing.assert_allclose(asking(provider).embed(TEXTS, 5), expected, atol=1e-6)


def test_a_200_with_an_error_says_where_to_look(provider: FakeProvider) -> None:
    provider.config(error_200_elsewhere=True)
    error = refused(asking(provider, path="/somewhere"), [HARMLESS])
    assert error.kind is ErrorClass.PROVIDER_DOWN
    assert "with an error in place of vectors: check the address (most end in /v1)" in str(error)
    assert "even a harmless one" in str(error)


def test_a_200_with_an_error_now_and_then_is_an_error_like_others(provider: FakeProvider) -> None:
    openai = asking(provider)
    openai.embed(TEXTS, 5)
    provider.config(fail_next=["error_200"])
    assert refused(openai).kind is ErrorClass.TRANSIENT
    assert openai.embed(TEXTS, 5).shape == (3, 64)


@pytest.mark.parametrize("wanted", [63, 128, 1536])
def test_a_wrong_width_names_both_and_the_next_step(provider: FakeProvider, wanted: int) -> None:
    provider.config(ignore_dimensions=True)
    error = refused(asking(provider, wanted))
    assert error.kind is ErrorClass.PROVIDER_DOWN
    assert f"{wanted} wanted, 64 came" in str(error)
    assert "EMBEDDING_DIMENSIONS=64" in str(error)


def test_a_wrong_width_is_named_even_where_its_server_refuses_to_be_asked_for_one(
    provider: FakeProvider,
) -> None:
    provider.config(refuse_fields=["dimensions"])
    assert "128 wanted, 64 came" in str(refused(asking(provider, 128)))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("301", "it redirects to https://embeddings.example.org/v1/embeddings: set the address"),
        ("308", "it redirects to"),
        ("501", "choose an embedding model"),
        ("520", "the gateway in front of it cannot reach it"),
        ("522", "the gateway in front of it cannot reach it"),
        ("529", "it is overloaded"),
        ("memory", "too little memory for the model: free memory"),
    ],
)
def test_an_error_that_is_not_of_the_text_has_its_own_next_step(
    provider: FakeProvider, fault: str, said: str
) -> None:
    provider.config(fail_next=[fault] * 4)
    error = refused(asking(provider))
    assert error.kind is ErrorClass.PROVIDER_DOWN
    assert said in str(error)
    assert "token" not in str(error)


def test_azures_path_version_and_header(provider: FakeProvider) -> None:
    provider.config(api_version="2024-10-21", required_header="api-key=sk-very-secret")
    base = Endpoint(
        f"{provider.url}/openai/deployments/small?api-version=2024-10-21",
        extra=(("api-key", "sk-very-secret"),),
    )
    assert OpenAIProvider(base, "fake-embed", 64).embed(TEXTS, 5).shape == (3, 64)
    bare = OpenAIProvider(Endpoint(base.url), "fake-embed", 64)
    assert refused(bare).kind is ErrorClass.AUTH
    assert "sk-very-secret" not in repr(base)
