"""The acts by their names: each begins, is carried out and answers its row; and what of them can be undone.

What each does to tasks is in test_statements.py, and an undo in test_undo_sql.py.
"""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from embeddings.models import Space
from queueops.models import AuditLog, Operation, Priority, Status, Task, Verb
from queueops.models.audit import ReasonMissing
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import controls
from queueops.operate.operations import OperationError, verbs
from tests.queueops.factories import make_space, make_tasks

pytestmark = pytest.mark.django_db
WHO: Any = {"actor": "ada", "reason": "a drill"}
ALL = TaskFilter()


@pytest.fixture
def space() -> Space:
    return make_space()


def prioritize(selection: TaskFilter, **how: Any) -> Operation:
    return verbs.prioritize(selection, Priority.LOW, **how)


@pytest.mark.parametrize(
    ("act", "before", "verb"),
    [
        (verbs.requeue, Status.FAILED, Verb.REQUEUE),
        (verbs.cancel, Status.PENDING, Verb.CANCEL),
        (prioritize, Status.PENDING, Verb.PRIORITIZE),
        (verbs.clear, Status.COMPLETED, Verb.CLEAR),
        (verbs.release, Status.PROCESSING, Verb.RELEASE),
    ],
)
def test_an_operation_reports_its_progress_and_returns_its_row(
    space: Space, act: Callable[..., Any], before: Status, verb: Verb
) -> None:
    make_tasks(3, space, before)
    steps: list[tuple[int, int]] = []
    done = act(ALL, **WHO, batch_size=2, progress=lambda handled, total: steps.append((handled, total)))
    assert (done.verb, done.state, done.total, done.changed) == (verb, "done", 3, 3)
    assert (done.actor, done.reason) == ("ada", "a drill")
    assert steps[-1] == (3, 3)
    assert len(steps) >= 2


@pytest.mark.parametrize("act", [verbs.requeue, verbs.cancel, prioritize, verbs.clear, verbs.release])
def test_an_act_without_a_reason_begins_nothing(space: Space, act: Callable[..., Any]) -> None:
    make_tasks(1, space)
    with pytest.raises(ReasonMissing):
        act(ALL, actor="ada", reason=" \n")
    assert not Operation.objects.exists()


def test_an_unknown_operation_cannot_be_undone() -> None:
    with pytest.raises(OperationError, match="no operation"):
        verbs.undoable(uuid.uuid4())


def test_an_operation_that_changed_no_tasks_cannot_be_undone() -> None:
    with pytest.raises(OperationError):
        verbs.undoable(controls.pause(**WHO))


def test_a_release_cannot_be_undone(space: Space) -> None:
    make_tasks(1, space, Status.PROCESSING)
    released = verbs.release(ALL, **WHO)
    with pytest.raises(OperationError, match="release"):
        verbs.undo(released.pk, **WHO)


def test_an_operation_in_progress_cannot_be_undone_yet() -> None:
    running = Operation.objects.create(verb=Verb.CANCEL, **WHO)
    with pytest.raises(OperationError, match="interrupted"):
        verbs.undoable(running.pk)
    Operation.objects.update(status="cancelled")
    assert verbs.undoable(running.pk) == running


def test_what_changed_nothing_can_be_undone_by_changing_nothing(space: Space) -> None:
    nothing = verbs.cancel(ALL, **WHO)
    assert verbs.undo(nothing.pk, **WHO).total == 0


def test_once_its_audit_rows_are_past_their_retention_an_act_cannot_be_undone(space: Space) -> None:
    make_tasks(1, space)
    cancelled = verbs.cancel(ALL, **WHO)
    AuditLog.objects.filter(task_id__isnull=False).delete()
    with pytest.raises(OperationError, match="retention"):
        verbs.undoable(cancelled.pk)


def test_a_migration_is_undone_by_its_tasks_and_needs_no_audit_rows() -> None:
    migration = Operation.objects.create(verb=Verb.MIGRATE, status="done", total=3, changed=3, **WHO)
    assert verbs.undoable(migration.pk) == migration


def test_an_undo_of_an_undo_names_what_it_undoes(space: Space) -> None:
    make_tasks(2, space)
    cancelled = verbs.cancel(ALL, **WHO)
    undone = verbs.undo(cancelled.pk, **WHO)
    again = verbs.undo(undone.pk, **WHO)
    assert (undone.undoes_id, again.undoes_id) == (cancelled.pk, undone.pk)
    assert set(Task.objects.values_list("status", flat=True)) == {"cancelled"}


def test_an_operation_whose_process_lives_is_let_end_first() -> None:
    running = Operation.objects.create(verb=Verb.CANCEL, **WHO)
    assert running.attend()
    try:
        with pytest.raises(OperationError, match="running"):
            verbs.undoable(running.pk)
    finally:
        running.leave()
