"""The verb that waits until the work is done, or until it is clear that it will not be."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from embeddings.models import Space
from queueops.cli.verbs import wait
from queueops.models import QueueState, Task
from tests.queueops.cli_runner import queue_admin
from tests.queueops.factories import make_space, make_tasks, make_worker


@pytest.fixture
def space(db: None, monkeypatch: pytest.MonkeyPatch) -> Space:
    monkeypatch.setattr(wait, "_EVERY_SECONDS", 0.01)
    make_worker()
    return make_space()


def test_waiting_for_nothing_ends_at_once(space: Space) -> None:
    called = queue_admin("wait-for-completion", "--json")
    assert (called.code, called.json["state"], called.json["left"]) == (0, "drained", 0)
    assert queue_admin("wait-for-completion").out.startswith("Drained: no task is left")


def test_waiting_ends_at_its_timeout_and_says_what_is_left(space: Space) -> None:
    make_tasks(1, space)
    called = queue_admin("wait-for-completion", "--timeout=0")
    assert (called.code, called.out) == (1, "Timed out after 0 s: about 1 task is left.\n")
    assert queue_admin("wait-for-completion", "--timeout=0", "--json").json["state"] == "timed_out"


def test_waiting_ends_when_the_queue_is_paused_and_says_why(space: Space) -> None:
    make_tasks(2, space)
    QueueState.objects.update(is_paused=True, reason="an upgrade", changed_by="ada")
    called = queue_admin("wait-for-completion", "--timeout=60")
    assert called.code == 2
    assert called.out == "Stuck: about 2 tasks are left. The queue is paused by ada: an upgrade.\n"


@pytest.mark.django_db(transaction=True)
def test_waiting_goes_on_until_the_last_task_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait, "_EVERY_SECONDS", 0.01)
    make_worker()
    make_tasks(2, make_space())
    looked = threading.Event()

    def end_them() -> None:
        looked.wait(20)
        Task.objects.update(status="completed", outcome="embedded", completed_at=Now())
        connection.close()

    def look(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        looked.set()
        return execute(sql, params, many, context)

    worker = threading.Thread(target=end_them)
    worker.start()
    with connection.execute_wrapper(look):
        called = queue_admin("wait-for-completion", "--timeout=60")
    worker.join()
    assert called.code == 0
