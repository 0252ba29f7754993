"""The local embedder's process ends at once when it is told to, and says so to those that wait."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.embeddings.servers.local_embedder.requests import ask, code
from tests.providers import local_embedder
from tests.waiting import wait_until

pytestmark = pytest.mark.process


def test_a_stop_ends_the_process_within_a_second_and_says_so_to_who_waits(folder: Path) -> None:
    with local_embedder(socket=folder / "stopped.sock") as running, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, running, [f"{number} " + "word " * 100 for number in range(500)])
        wait_until(lambda: running.http.get("/health").json()["requests"] == 1)
        began = time.monotonic()
        running.process.terminate()
        answer = waiting.result(10)
        assert running.process.wait(5) == 0
        assert time.monotonic() - began < 3
    assert code(answer) == (503, "stopping")
