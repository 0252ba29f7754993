"""The verb that lists operations, and resumes or stops one."""

import re

import pytest

from embeddings.models import Space
from queueops.models import AuditLog, Operation, Status, Task, Verb
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import operations
from tests.queueops.cli.verbs.test_bulk import statuses
from tests.queueops.cli_runner import Terminal, queue_admin
from tests.queueops.factories import make_space, make_tasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def space() -> Space:
    return make_space()


def test_a_resumed_operation_reports_what_it_skipped(space: Space) -> None:
    [task] = make_tasks(1, space, Status.FAILED)
    begun = operations.begin(Verb.REQUEUE, TaskFilter(), actor="ada", reason="a drill")
    Task.objects.create(article=task.article, space=space)
    resumed = queue_admin("operations", "resume", str(begun.pk))
    assert resumed.code == 1
    assert resumed.out.startswith("0 tasks requeued; operation ")
    assert "1 skipped: the article already has a task that waits" in resumed.out


@pytest.mark.parametrize("width", [80, 120])
def test_on_a_narrow_terminal_no_id_of_an_operation_is_cut(
    space: Space, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    make_tasks(1, space)
    reason = "the import of last night had the wrong filter and has to be done over again"
    queue_admin("cancel", "--all", "--yes", f"--reason={reason}")
    monkeypatch.setenv("COLUMNS", str(width))
    shown = re.sub(r"\x1b\[[0-9;]*m", "", queue_admin("operations", out=Terminal()).out)
    assert [line.strip() for line in shown.splitlines()][0] == str(Operation.objects.get().pk)
    assert max(map(len, shown.splitlines())) <= width
    assert re.search(r"^  reason +the import of last night", shown, re.MULTILINE)


def test_operations_are_listed_and_one_is_stopped(space: Space) -> None:
    make_tasks(2, space, Status.FAILED)
    assert queue_admin("operations").out == "No operations yet.\n"
    begun = operations.begin(Verb.REQUEUE, TaskFilter(error_class="auth"), actor="ada", reason="a\nlook")
    shown = queue_admin("operations").out
    for word in ("requeue", "interrupted", "0 of 0", "ada", "error class auth", "a look"):
        assert word in shown
    [row] = queue_admin("operations", "stop", str(begun.pk), "--json").json["operations"]
    assert (row["id"], row["state"]) == (str(begun.pk), "cancelled")
    assert queue_admin("operations", "stop").sentence.startswith("no operation to stop given")
    assert "is cancelled already" in queue_admin("operations", "stop", str(begun.pk)).sentence


@pytest.mark.parametrize("what", ["resume", "stop"])
def test_a_dry_run_of_an_operations_resume_or_stop_changes_nothing(space: Space, what: str) -> None:
    make_tasks(2, space, Status.FAILED)
    begun = operations.begin(Verb.REQUEUE, TaskFilter(), actor="ada", reason="a drill")
    looked = queue_admin("operations", what, str(begun.pk), "--dry-run").out
    assert looked.startswith(f"This would {what} operation {begun.pk}, 2 left. Nothing was changed.")
    assert (Operation.objects.get().status, statuses()) == ("running", ["failed", "failed"])
    queue_admin("operations", what, str(begun.pk), "--yes", "--reason=the night is over")
    note = AuditLog.objects.get(message=f"operation {what} requested")
    assert (note.metadata["reason"], note.metadata["scope"]["operation"]) == (
        "the night is over",
        str(begun.pk),
    )
