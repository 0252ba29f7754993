"""The programs of the stack, as the settings have them."""

import socket
import sys
from pathlib import Path

import pytest
from pytest_django import Settings

from config.stack import services
from config.stack.embedder import EmbedderService
from config.stack.http_service import HttpService
from config.stack.postgres import PostgresServer
from config.stack.processes import StackError
from config.stack.valkey import ValkeyServer


@pytest.fixture(autouse=True)
def data_dir(settings: Settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.mark.parametrize(
    ("database", "redis", "kinds"),
    [
        (True, True, [PostgresServer, ValkeyServer]),
        (True, False, [PostgresServer]),
        (False, True, [ValkeyServer]),
        (False, False, []),
    ],
)
def test_a_server_of_ones_own_takes_the_place_of_an_embedded_one(
    settings: Settings, database: bool, redis: bool, kinds: list[type[PostgresServer | ValkeyServer]]
) -> None:
    settings.DATABASE_EMBEDDED, settings.REDIS_EMBEDDED = database, redis
    assert [type(service) for service in services.servers()] == kinds


@pytest.mark.parametrize(
    ("provider", "port", "kinds"),
    [("openai", 0, []), ("ollama", 1, []), ("local", 0, [EmbedderService]), ("local", 18_000, [HttpService])],
)
def test_an_embedder_runs_where_it_is_the_provider(
    settings: Settings, provider: str, port: int, kinds: list[type[EmbedderService | HttpService]]
) -> None:
    settings.EMBEDDING_PROVIDER, settings.LOCAL_EMBEDDER_PORT = provider, port
    assert [type(service) for service in services.embedder()] == kinds


def test_workers_hold_no_more_messages_than_they_have_threads(settings: Settings) -> None:
    settings.EMBEDDING_WORKER_THREADS, settings.EMBEDDING_CONCURRENT_WORKERS = 3, 2
    service = services.workers()
    assert {"--processes=2", "--threads=3"} <= set(service.process.command)
    assert service.process.env
    assert service.process.env["dramatiq_queue_prefetch"] == "3"
    assert not service.serves_others


def test_the_web_listens_where_the_settings_say_unless_told_otherwise(settings: Settings) -> None:
    settings.HOST, settings.PORT, settings.WEB_PROCESSES = "0.0.0.0", 5_123, 2
    service = services.web()
    assert {"--host=0.0.0.0", "--port=5123", "--workers=2"} <= set(service.process.command)
    assert isinstance(service, HttpService)
    assert service.address == ("127.0.0.1", 5_123)
    assert "--port=7" in services.web(port=7).process.command


def test_a_command_is_run_by_our_python_on_our_data(settings: Settings, data_dir: Path) -> None:
    process = services.manage("name", "a_command", "--word", env={"EXTRA": "1"})
    assert process.command[0] == sys.executable
    assert process.command[2:] == ["a_command", "--word"]
    assert process.env
    assert (process.env["DATA_DIR"], process.env["EXTRA"]) == (str(data_dir), "1")
    assert process.env["DJANGO_SETTINGS_MODULE"] == "config.settings"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_is_taken_is_named_with_its_setting(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as taken:
        try:
            taken.bind((host, 0))
        except OSError:
            pytest.skip("this machine has no such address")
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=f"{port}.*A_SETTING"):
            services.demand_free(host, port, "A_SETTING")
    services.demand_free(host, port, "A_SETTING")


def test_a_broker_that_leads_nowhere_is_named_by_its_setting(settings: Settings, tmp_path: Path) -> None:
    services.demand_broker()
    settings.REDIS_URL = f"unix://{tmp_path}/nobody"
    with pytest.raises(StackError, match="REDIS_URL"):
        services.demand_broker()
