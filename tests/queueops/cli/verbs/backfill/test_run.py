"""`embed_migrate run` as the shell sees it: its question, its refusals, and what Ctrl-C leaves behind."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from embeddings.models import Space
from queueops.models import Operation, Task
from queueops.operate import operations
from queueops.operate.backfill import run
from tests.queueops.cli_runner import Terminal, embed_migrate
from tests.queueops.factories import make_space
from tests.queueops.operate.backfill.test_run import make_corpus


@pytest.fixture
def space(db: None) -> Space:
    return make_space()


def answer(monkeypatch: pytest.MonkeyPatch, words: str) -> Terminal:
    """A person at the terminal who types this; what they are shown."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(words))
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def test_a_person_sees_what_it_takes_and_is_asked(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    make_corpus(3)
    screen = answer(monkeypatch, "n\n")
    called = embed_migrate("run")
    assert (called.code, called.sentence, Task.objects.count()) == (3, "nothing was changed", 0)
    assert "Estimate for 3 articles in space" in called.out
    assert "This will queue 3 articles with low priority. Continue?" in screen.getvalue()
    answer(monkeypatch, "y\n")
    assert embed_migrate("run").code == 0
    assert Task.objects.count() == 3


def test_ctrl_c_keeps_what_was_queued_and_says_how_to_resume(space: Space) -> None:
    make_corpus(5)

    def stop_at_the_second(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        if "INSERT INTO embedding_tasks" in sql and Task.objects.exists():
            raise KeyboardInterrupt
        return execute(sql, params, many, context)

    with connection.execute_wrapper(stop_at_the_second):
        called = embed_migrate("--yes", "--batch-size=2")
    assert (called.code, Task.objects.count()) == (130, 2)
    assert (
        f"resume with: python manage.py queue_admin operations resume {Operation.objects.get().pk}"
        in called.sentence
    )
    assert embed_migrate("--yes", "--json").json["changed"] == 5
    assert Task.objects.count() == 5


def test_a_run_that_somebody_stops_says_so(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    make_corpus(5)
    begin = run._new

    def begin_and_be_stopped(*what: Any) -> Operation:
        operation = begin(*what)
        operations.stop(operation.pk, actor="bob")
        return operation

    monkeypatch.setattr(run, "_new", begin_and_be_stopped)
    called = embed_migrate("--yes")
    assert (called.code, Task.objects.count()) == (1, 0)
    assert "Stopped: cancelled. Run it again for the rest." in called.out
