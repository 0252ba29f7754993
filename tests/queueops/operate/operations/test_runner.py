"""A bulk act beside everybody else: it waits for nobody, nobody waits for it long, and it can be resumed."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from articles.models import Article
from embeddings.models import Space
from queueops.engine import claims, execution
from queueops.models import AuditLog, Operation, Status, Task, Verb, Worker
from queueops.models.operation import MOVED_ON
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import operations
from queueops.operate.operations import OperationError, policies, runner, sql
from tests.concurrently import together
from tests.paths import ROOT
from tests.providers import FakeProvider
from tests.queueops.factories import make_tasks
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
WHO: Any = {"actor": "ada", "reason": "a drill"}


@contextmanager
def uncommitted(work: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """Another session has done this and not committed it; it does at the end, or once the answer is called."""
    done, may_end = threading.Event(), threading.Event()

    def run() -> None:
        try:
            with transaction.atomic():
                work()
                done.set()
                may_end.wait(20)
        finally:
            done.set()
            connection.close()

    def end() -> None:
        may_end.set()
        thread.join()

    thread = threading.Thread(target=run)
    thread.start()
    assert done.wait(20)
    try:
        yield end
    finally:
        end()


def audited(operation: Operation) -> int:
    return AuditLog.objects.filter(operation_id=operation.pk, task_id__isnull=False).count()


def test_a_task_that_somebody_has_locked_is_passed_over_and_done_when_it_is_free(space: Space) -> None:
    first, *_ = make_tasks(5, space)
    told: list[int] = []
    with uncommitted(lambda: Task.objects.select_for_update().get(pk=first.pk)) as let_go:

        def note(done: int, _: int) -> None:
            told.append(done)
            if done == 4:
                assert Operation.objects.get().passed_over == [first.pk]
                let_go()

        done = operations.cancel(TaskFilter(), **WHO, batch_size=2, progress=note)
    assert told == [1, 3, 4, 5]
    assert (done.changed, done.skipped, audited(done)) == (5, 0, 5)


def test_a_task_that_moved_on_while_it_was_locked_is_left_as_it_is(space: Space) -> None:
    first, *_ = make_tasks(3, space)

    def complete() -> None:
        Task.objects.filter(pk=first.pk).update(status="completed", outcome="unchanged", completed_at=Now())

    with uncommitted(complete) as let_go:
        done = operations.cancel(TaskFilter(), **WHO, progress=lambda done, _: done == 2 and let_go())
    assert (done.changed, done.skips) == (2, {MOVED_ON: 1})
    first.refresh_from_db()
    assert first.status == "completed"


def test_a_task_that_a_worker_takes_before_its_turn_has_moved_on(space: Space, worker: Worker) -> None:
    """As many as there are: none of them is waited for."""
    make_tasks(20, space)
    operation = operations.begin(Verb.CANCEL, TaskFilter(statuses=("pending",)), **WHO)
    seen = list(policies.ids(operation)[:10])
    claims.claim_due(space, 5, worker.pk, worker.name)
    with transaction.atomic():
        answers = policies.of(operation).perform(operation, seen)
    assert sorted(answers.values()) == [""] * 5 + [MOVED_ON] * 5


def test_a_task_that_stays_locked_is_given_up_and_counted(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_PATIENCE_SECONDS", 0.0)
    first, *_ = make_tasks(3, space)
    with uncommitted(lambda: Task.objects.select_for_update().get(pk=first.pk)):
        done = operations.cancel(TaskFilter(), **WHO)
    assert (done.changed, done.skips, done.state) == (2, {runner.LOCKED_TOO_LONG: 1}, "done")


def make_waiting_task(task: Task) -> None:
    """As a backfill does, which locks no article."""
    Task.objects.create(article=task.article, space=task.space)


def edit(task: Task) -> None:
    article = Article.objects.get(pk=task.article_id)
    article.content = "Another text."
    article.save()


@pytest.mark.parametrize("other", [make_waiting_task, edit])
def test_a_requeue_does_not_wait_for_a_save_that_makes_the_same_task(
    space: Space, other: Callable[..., Any]
) -> None:
    first, *_ = make_tasks(4, space, Status.FAILED)
    with uncommitted(lambda: other(first)) as let_go:
        done = operations.requeue(TaskFilter(), **WHO, progress=lambda done, _: done == 3 and let_go())
    assert (done.changed, done.skips) == (3, {sql.WAITS_ALREADY: 1})
    assert Task.objects.pending().count() == 4


def test_an_operation_that_another_process_carries_out_is_not_begun_twice(space: Space) -> None:
    make_tasks(2, space)
    operation = operations.begin(Verb.CANCEL, TaskFilter(), **WHO)
    assert operation.state == "interrupted"
    with uncommitted(operation.attend):
        assert operation.state == "running"
        with pytest.raises(OperationError, match="is being carried out by another process"):
            operations.resume(operation.pk)
        assert Task.objects.pending().count() == 2
    assert operations.resume(operation.pk).changed == 2
    assert operation.attend()  # whoever carried it out has let go of it
    operation.leave()


def test_of_two_that_resume_at_once_one_is_refused_or_both_see_it_done(space: Space) -> None:
    make_tasks(60, space)
    operation = operations.begin(Verb.CANCEL, TaskFilter(), **WHO)

    def resume() -> str:
        try:
            return operations.resume(operation.pk, batch_size=5).status
        except OperationError:
            return "refused"

    answers = together(3, resume)
    assert "done" in answers
    operation.refresh_from_db()
    assert (operation.changed, operation.skipped, audited(operation)) == (60, 0, 60)


def test_what_is_interrupted_goes_on_from_where_it_was(space: Space) -> None:
    make_tasks(10, space)

    def interrupt(done: int, _: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        operations.cancel(TaskFilter(), **WHO, batch_size=2, progress=interrupt)
    interrupted = Operation.objects.get()
    assert (interrupted.state, interrupted.changed, audited(interrupted)) == ("interrupted", 6, 6)
    done = operations.resume(interrupted.pk)
    assert (done.state, done.total, done.changed, audited(done)) == ("done", 10, 10, 10)
    with pytest.raises(OperationError, match="is done already: nothing is left to resume"):
        operations.resume(done.pk)


@pytest.mark.slow
def test_a_killed_process_leaves_exact_counts_and_another_goes_on(space: Space) -> None:
    make_tasks(400, space)
    words = (
        "cancel",
        "--all",
        "--yes",
        "--why=a drill",
        "--batch-size=4",
    )  # a hundred batches, so some seconds
    process = subprocess.Popen([sys.executable, ROOT / "manage.py", "queue_admin", *words], env=environment())
    try:
        wait_until(lambda: Operation.objects.filter(changed__gt=0).exists(), 60, "the first batch")
    finally:
        process.kill()
        process.wait()
    killed = Operation.objects.get()
    wait_until(lambda: killed.state == "interrupted", what="its session to end")
    killed.refresh_from_db()
    cancelled = Task.objects.filter(status="cancelled")
    assert 0 < killed.changed < 400
    assert killed.changed == cancelled.count() == audited(killed)
    done = operations.resume(killed.pk)
    assert (done.state, done.changed, done.skipped) == ("done", 400, 0)
    assert cancelled.count() == audited(done) == 400


def environment() -> dict[str, str]:
    """For a process of its own on this test's database."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return os.environ | {"DATABASE_URL": database.geturl()}


def test_another_process_can_stop_a_running_operation(space: Space) -> None:
    make_tasks(6, space)

    def stop(done: int, _: int) -> None:
        if done == 4:
            together(1, lambda: operations.stop(Operation.objects.get().pk, actor="bob"))

    stopped = operations.cancel(TaskFilter(), **WHO, batch_size=2, progress=stop)
    assert (stopped.state, stopped.changed, Task.objects.pending().count()) == ("cancelled", 4, 2)
    entry = AuditLog.objects.get(operation_id=stopped.pk, task_id=None)
    assert (entry.actor, entry.message, entry.metadata["tasks"]) == (
        "bob",
        "tasks cancelled, stopped midway",
        4,
    )
    with pytest.raises(OperationError, match="is cancelled already"):
        operations.stop(stopped.pk, actor="bob")


def test_saves_and_workers_go_on_beside_bulk_acts(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    make_tasks(60, space, Status.FAILED)
    slugs = list(Article.objects.values_list("pk", flat=True))

    def save() -> None:
        for number, pk in enumerate(slugs[:20]):
            article = Article.objects.get(pk=pk)
            article.content = f"Text {number} of {threading.get_ident()}."
            article.save()

    def work() -> None:
        for _ in range(10):
            execution.execute(claims.claim_due(space, 20, worker.pk, worker.name))

    def operate() -> None:
        done = operations.requeue(TaskFilter(), **WHO, batch_size=10)
        assert operations.undo(done.pk, **WHO, batch_size=10).state == "done"
        cancelled = operations.cancel(TaskFilter(), **WHO, batch_size=10)
        assert cancelled.changed == audited(cancelled)

    parts = iter([save, work, operate, save])
    together(4, lambda: next(parts)())
    assert not Task.objects.filter(status="processing").exists()
