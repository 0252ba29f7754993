"""Postgres' buffers by the machine's memory."""

import os
from pathlib import Path

import pytest

from config.stack.machine_memory import of_machine, shared_buffers

GIB = 1024**3


@pytest.mark.parametrize(
    ("memory", "buffers"),
    [
        (GIB // 2, "64MB"),
        (GIB, "64MB"),
        (2 * GIB, "128MB"),
        (4 * GIB, "256MB"),
        (16 * GIB, "256MB"),
        (512 * GIB, "256MB"),
    ],
)
def test_buffers_are_a_sixteenth_of_the_memory_within_bounds(memory: int, buffers: str) -> None:
    assert shared_buffers(memory) == buffers


@pytest.mark.parametrize(("text", "is_limit"), [("1048576\n", True), ("max\n", False), (f"{2**63}\n", False)])
def test_a_containers_limit_counts_where_it_is_lower_than_the_machine(
    tmp_path: Path, text: str, is_limit: bool
) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(text)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert of_machine([tmp_path / "missing", limit]) == (1048576 if is_limit else machine)
