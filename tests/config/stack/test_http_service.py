"""A member that serves HTTP: where it is reached, and when it is ready."""

import socket

import pytest

from config.stack.http_service import HttpService, reachable
from config.stack.processes import Process


@pytest.mark.parametrize(
    ("host", "reached"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("127.0.0.1", "127.0.0.1"), ("example.org", "example.org")],
)
def test_a_server_that_listens_everywhere_is_reached_on_loopback(host: str, reached: str) -> None:
    assert reachable(host) == reached


def test_nobody_who_answers_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert not HttpService(Process("web", ["/bin/true"]), "127.0.0.1", port).ready()
