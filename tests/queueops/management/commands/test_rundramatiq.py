"""The command that starts workers: with which words their keeper begins, and how long they wait for locks."""

import os
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django import Settings

from queueops.worker import process_supervisor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """The programs that this process would have become."""
    programs: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(os, "execv", lambda program, words: programs.append((program, list(words))))
    monkeypatch.delenv("PGOPTIONS", raising=False)
    monkeypatch.setenv("PGOPTIONS", "")  # so that it is taken back afterwards
    monkeypatch.delenv("PGOPTIONS")
    return programs


def test_this_process_becomes_the_keeper_of_so_many(begun: list[tuple[str, list[str]]]) -> None:
    call_command("rundramatiq", "--processes=3", "--threads=2", "--worker-shutdown-timeout=7000")
    [(program, words)] = begun
    assert program == sys.executable == words[0]
    assert words[1:7] == ["-I", "-S", str(Path(process_supervisor.__file__)), "3", "", ""]
    assert (words[7], Path(words[8]).name) == (sys.executable, "manage.py")
    assert words[9:12] == ["rundramatiq", "--threads=2", "--worker-shutdown-timeout=7000"]


def test_files_queues_and_paths_are_passed_on(begun: list[tuple[str, list[str]]]) -> None:
    call_command(
        "rundramatiq",
        "--pid-file=/run/w.pid",
        "--log-file=/var/log/w",
        "--queues",
        "a",
        "b",
        "--path",
        "/x y",
    )
    [(_, words)] = begun
    assert words[5:7] == ["/run/w.pid", "/var/log/w"]
    at = words.index("--queues")
    assert words[at : at + 3] == ["--queues", "a", "b"]
    assert words[words.index("--path") + 1] == "/x y"


@pytest.mark.parametrize(
    ("timeout", "before", "after"),
    [
        (5_000, None, "-c lock_timeout=5000"),
        (5_000, "-c lock_timeout=1", "-c lock_timeout=1"),
        (0, None, None),
    ],
)
def test_a_worker_waits_for_locks_for_a_bounded_time_unless_told_otherwise(
    begun: list[tuple[str, list[str]]],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    timeout: int,
    before: str | None,
    after: str | None,
) -> None:
    settings.DATABASE_LOCK_TIMEOUT = timeout
    if before is not None:
        monkeypatch.setenv("PGOPTIONS", before)
    call_command("rundramatiq")
    assert os.environ.get("PGOPTIONS") == after
