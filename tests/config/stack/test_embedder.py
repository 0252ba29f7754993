"""The local embedder as a member of the stack."""

import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from config.stack import paths, services
from config.stack.embedder import EmbedderService
from config.stack.http_service import HttpService
from config.stack.processes import Process

pytestmark = pytest.mark.process


@pytest.fixture
def service(tmp_path: Path) -> Iterator[EmbedderService]:
    sockets = paths.socket_dir(tmp_path)
    words = ["-m", "embeddings.servers.local_embedder", "--socket", str(paths.embedder_socket(sockets))]
    running = EmbedderService(Process("embedder", [sys.executable, *words]), tmp_path)
    yield running
    running.stop()
    shutil.rmtree(sockets, ignore_errors=True)


def test_it_is_ready_once_it_answers_on_its_socket_in_a_private_folder(service: EmbedderService) -> None:
    service.prepare()
    assert not service.ready()
    service.start(60)
    assert service.ready()
    assert stat.S_IMODE(service.socket.parent.stat().st_mode) == 0o700


def test_the_stack_opens_a_port_for_it_only_where_one_is_set(settings: Settings) -> None:
    settings.EMBEDDING_PROVIDER = "local"
    assert [type(service) for service in services.embedder()] == [EmbedderService]
    settings.LOCAL_EMBEDDER_PORT = 18_000
    assert [type(service) for service in services.embedder()] == [HttpService]
    settings.EMBEDDING_PROVIDER = "openai"
    assert services.embedder() == []
