"""The fake provider's process: it listens on loopback only, ends when told to, and says why it cannot start."""

import socket

import pytest

from tests.providers import FakeProvider, refusal_to_start

pytestmark = pytest.mark.process


def ask(fake: FakeProvider) -> int:
    return fake.http.post("/v1/embeddings", json={"model": "fake", "input": ["text"]}).status_code


def test_it_listens_on_loopback_only_and_stops_at_once_when_told() -> None:
    with FakeProvider(fail_next=["429", "500"], retry_after=7, no_usage=True) as running:
        assert running.url.startswith("http://127.0.0.1:")
        assert [ask(running) for _ in range(3)] == [429, 500, 200]
        assert running.stop() == 0


def test_a_taken_port_or_an_unusable_setting_stops_the_start_with_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for options, sentence in (
            (
                ["--port", port],
                f"The fake provider cannot listen on 127.0.0.1:{port}: Address already in use.",
            ),
            (["--port", "70000"], "--port is 70000; it may be 0 to 65535."),
            (["--rate-429", "7"], "rate_429 cannot be '7': input should be less than or equal to 1."),
        ):
            assert refusal_to_start("embeddings.servers.fake_provider", *options) == f"{sentence}\n"
