"""The web processes' own life: they end in good order, and come back."""

import os
import signal
from collections.abc import Iterator

import pytest
from django.test import override_settings

from config.stack import services
from config.stack.http_service import HttpService
from config.stack.service import Service
from tests.config.live_processes import free_port, lives, processes_naming
from tests.config.serving.talking import Talk, ask_json, request
from tests.waiting import wait_until

pytestmark = pytest.mark.process


@pytest.fixture
def service() -> Iterator[Service]:
    with override_settings(WEB_PROCESSES=1):
        service = services.web("tests.config.serving.sample:application", free_port())
    service.start()
    yield service
    service.stop()


def port_of(service: Service) -> int:
    assert isinstance(service, HttpService)
    return service.address[1]


def test_a_request_under_way_is_answered_before_the_end(service: Service) -> None:
    port = port_of(service)
    with Talk(port, request("/brief")) as talk:
        wait_until(lambda: ask_json(port, "/counted").get("/brief"))
        service.process.ask_to_stop()
        assert talk.status() == 200
    assert service.process.exited.wait(service.grace)


def test_a_process_that_is_killed_comes_back(service: Service) -> None:
    port = port_of(service)
    worker = next(pid for pid in processes_naming(f"--port={port}") if pid != service.process.pid)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not lives(worker))
    wait_until(service.ready)
    assert ask_json(port, "/counted")["busy"] == 0
