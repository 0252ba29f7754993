"""The fault-injecting provider, one process for the whole run, clean for every test; the local embedder, one process
for each file that asks for it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.providers import EMBEDDER_SECRET, FakeProvider, ProviderProcess, local_embedder
from tests.queueops.conftest import NO_FAULTS


@pytest.fixture(scope="session")
def wide_provider_process() -> Iterator[FakeProvider]:
    """As wide as the words vectors need to tell texts apart."""
    with FakeProvider(dimensions=64) as provider:
        yield provider


@pytest.fixture
def provider(wide_provider_process: FakeProvider, settings: Settings) -> Iterator[FakeProvider]:
    wide_provider_process.config(**NO_FAULTS)
    settings.OPENAI_BASE_URL = wide_provider_process.url + "/v1"
    settings.OLLAMA_BASE_URL = wide_provider_process.url
    yield wide_provider_process
    wide_provider_process.config(**NO_FAULTS)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A private folder whose path is short enough for a socket's."""
    with tempfile.TemporaryDirectory(prefix="embedder-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def on_socket(folder: Path) -> Iterator[ProviderProcess]:
    with local_embedder(socket=folder / "embedder.sock") as running:
        yield running


@pytest.fixture(scope="module")
def on_port() -> Iterator[ProviderProcess]:
    with local_embedder(secret=EMBEDDER_SECRET) as running:
        yield running


@pytest.fixture(params=["socket", "port"])
def embedder(request: pytest.FixtureRequest) -> ProviderProcess:
    """The embedder on a Unix socket, then on a port."""
    running: ProviderProcess = request.getfixturevalue(f"on_{request.param}")
    return running
