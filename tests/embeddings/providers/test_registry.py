"""The local space is asked on the installation's socket, and on a port only where one is set."""

from pathlib import Path

import numpy as np
import pytest
from pytest_django import Settings

from config.stack import paths
from embeddings.models import Space
from embeddings.providers.endpoint import Endpoint
from embeddings.providers.registry import provider_of
from embeddings.servers.local_embedder import proof
from tests.providers import EMBEDDER_SECRET, ProviderProcess

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
    assert endpoint.headers == {"authorization": f"Bearer {proof.token(EMBEDDER_SECRET)}"}
