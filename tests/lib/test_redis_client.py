"""The client fails fast."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from lib.redis_client import TIMEOUT_SECONDS, fast_client


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[str]:
    """The address of a server that takes connections and never says a word."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        yield f"unix://{path}"


def test_there_is_one_for_each_address() -> None:
    assert fast_client("redis://h/1") is fast_client("redis://h/1")
    assert fast_client("redis://h/1") is not fast_client("redis://h/2")


def test_a_server_that_hangs_is_asked_once(silent: str) -> None:
    began = time.monotonic()
    with pytest.raises((RedisError, OSError)):
        fast_client(silent).ping()
    assert time.monotonic() - began < 2 * TIMEOUT_SECONDS


def test_a_server_that_is_away_is_an_error_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises((RedisError, OSError)):
        fast_client(f"unix://{tmp_path}/nobody").ping()
    assert time.monotonic() - began < TIMEOUT_SECONDS
