"""The embedder's memory is given back when its work has ended."""

import re
import sys
import threading
from pathlib import Path

import pytest

from embeddings.servers.local_embedder import memory
from tests.embeddings.servers.local_embedder.requests import ask, rows
from tests.providers import local_embedder
from tests.waiting import wait_until

A_LITTLE_MIB = 15  # a run of texts of this length takes 100


def test_memory_is_given_back_once_work_has_ended_and_again_after_the_next() -> None:
    calls: list[str] = []
    called = threading.Semaphore(0)

    def then() -> None:
        calls.append("given back")
        called.release()

    after_work = memory.AfterWork(then, seconds=0.01)
    for done in (1, 2):
        after_work.note()
        assert called.acquire(timeout=10)
        assert len(calls) == done


def private_mib(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(map(int, re.findall(r"^Private_Dirty: +(\d+)", text, re.MULTILINE))) / 1024


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_an_embedder_that_has_read_long_texts_is_as_small_as_before(folder: Path) -> None:
    with local_embedder(socket=folder / "small.sock") as running:
        ask(running, ["a word"])
        at_rest = private_mib(running.process.pid)
        assert len(rows(ask(running, [f"{number} " + "word " * 490 for number in range(6)]))) == 6
        wait_until(lambda: private_mib(running.process.pid) < at_rest + A_LITTLE_MIB, 30)
