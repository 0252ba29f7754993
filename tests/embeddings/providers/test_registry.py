"""The local space is asked on the installation's socket, and on a port only where one is set."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_django import Settings

from config.stack import paths
from embeddings.models import Space
from embeddings.providers.endpoint import Endpoint
from embeddings.providers.openai import OpenAIProvider
from embeddings.providers.registry import forget, provider_of
from embeddings.servers.local_embedder import server_proof
from tests.providers import EMBEDDER_SECRET, FakeProvider, ProviderProcess

pytestmark = pytest.mark.process

LOCAL = Space(provider="local", model="all-MiniLM-L6-v2", dimensions=384)


def test_without_a_port_the_socket_in_the_private_folder_is_asked(
    settings: Settings, on_socket: ProviderProcess
) -> None:
    assert paths.embedder_socket(paths.socket_dir(settings.DATA_DIR)) == settings.LOCAL_EMBEDDER_SOCKET
    settings.LOCAL_EMBEDDER_SOCKET = Path(on_socket.endpoint.socket)
    assert provider_of(LOCAL).embed(["a search"], 30).shape == (1, 384)


def test_with_a_port_it_is_asked_there_and_gives_the_same(
    settings: Settings, on_socket: ProviderProcess, on_port: ProviderProcess
) -> None:
    settings.LOCAL_EMBEDDER_PORT = int(on_port.url.rpartition(":")[2])
    settings.LOCAL_EMBEDDER_SECRET = EMBEDDER_SECRET
    asked = {"model": LOCAL.model, "input": ["a search"]}
    expected = on_socket.http.post("/v1/embeddings", json=asked).json()["data"][0]["embedding"]
    found = provider_of(LOCAL).embed(["a search"], 30)
    assert found[0] == pytest.approx(np.array(expected, np.float32), abs=1e-7)


def test_an_endpoint_shows_its_secret_nowhere() -> None:
    endpoint = Endpoint("http://127.0.0.1:1/v1", secret=EMBEDDER_SECRET)
    shown = f"{endpoint!r} {endpoint} {endpoint.where} {endpoint.headers}"
    assert EMBEDDER_SECRET not in shown
    assert endpoint.headers == {"authorization": f"Bearer {server_proof.token(EMBEDDER_SECRET)}"}


OTHER = Space(provider="openai", model="fake-embed", dimensions=64)
KNOWN = Space(provider="openai", model="text-embedding-3-small", dimensions=1536)


@pytest.mark.parametrize(
    ("wish", "space", "optional", "always"),
    [
        ("auto", OTHER, {"dimensions": 64}, {}),
        ("auto", KNOWN, {}, {}),
        ("auto", Space(provider="openai", model=KNOWN.model, dimensions=256), {"dimensions": 256}, {}),
        ("true", KNOWN, {}, {"dimensions": 1536}),
        ("false", OTHER, {}, {}),
    ],
)
def test_a_width_is_asked_for_where_it_is_not_the_models_own_or_as_the_settings_say(
    settings: Settings, wish: str, space: Space, optional: Any, always: Any
) -> None:
    settings.EMBEDDING_SEND_DIMENSIONS = wish
    provider = provider_of(space)
    assert isinstance(provider, OpenAIProvider)
    assert provider._fields.optional == {"encoding_format": "base64", **optional}
    assert provider._fields.always == always


def test_headers_and_fields_of_the_settings_are_sent(settings: Settings, provider: FakeProvider) -> None:
    settings.OPENAI_API_KEY = "k"
    settings.EMBEDDING_HEADERS = (("x-team", "search"),)
    provider.config(required_header="x-team=search")
    assert provider_of(OTHER).embed(["a"], 5).shape == (1, 64)
    provider.config(required_header="authorization=Bearer k")
    assert provider_of(OTHER).embed(["a"], 5).shape == (1, 64)


@pytest.mark.parametrize(
    ("url", "header"), [("/v1", "authorization=Bearer k"), ("/v1?api-version=1", "api-key=k")]
)
def test_the_key_goes_into_the_header_that_the_server_reads(
    settings: Settings, provider: FakeProvider, url: str, header: str
) -> None:
    settings.OPENAI_API_KEY = "k"
    settings.OPENAI_BASE_URL = provider.url + url
    provider.config(required_header=header)
    assert provider_of(OTHER).embed(["a"], 5).shape == (1, 64)


def test_a_header_of_the_operators_comes_before_the_key(settings: Settings, provider: FakeProvider) -> None:
    settings.OPENAI_API_KEY = "k"
    settings.EMBEDDING_HEADERS = (("authorization", "Token t"),)
    provider.config(required_header="authorization=Token t")
    assert provider_of(OTHER).embed(["a"], 5).shape == (1, 64)


def test_ollama_gets_the_headers_too(settings: Settings, provider: FakeProvider) -> None:
    settings.EMBEDDING_HEADERS = (("x-team", "search"),)
    provider.config(required_header="x-team=search")
    space = Space(provider="ollama", model="nomic-embed-text", dimensions=64)
    assert provider_of(space).embed(["a"], 5).shape == (1, 64)


@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_the_settings_bound_the_texts_of_a_request(settings: Settings, kind: str) -> None:
    space = Space(provider=kind, model="fake-embed", dimensions=64)
    before = provider_of(space).limits.max_inputs
    for given, most in ((10, 10), (0, before), (2_048, before)):
        forget()
        settings.EMBEDDING_MAX_INPUTS = given
        assert provider_of(space).limits.max_inputs == most
