"""The audit log: rows that are found by their operation, and reasons on one line of bounded length."""

import pytest

from queueops.models import AuditLog, Category, Level
from queueops.models.audit import MAX_REASON, ReasonMissing, needed_reason, tidy_reason


@pytest.mark.parametrize(
    ("reason", "tidy"),
    [
        ("", ""),
        (" \n\t", ""),
        ("an upgrade", "an upgrade"),
        ("  an \n\n upgrade\t", "an upgrade"),
        ("a\u2028b\u00a0c", "a b c"),
        ("x" * (MAX_REASON + 1), "x" * MAX_REASON),
        ("x " * MAX_REASON, ("x " * MAX_REASON)[:MAX_REASON]),
    ],
)
def test_a_reason_is_on_one_line_of_bounded_length(reason: str, tidy: str) -> None:
    assert tidy_reason(reason) == tidy


def test_an_act_that_needs_a_reason_gets_it_tidied() -> None:
    assert needed_reason(" an  upgrade ") == "an upgrade"
    for nothing in ("", " ", "\n"):
        with pytest.raises(ReasonMissing, match="reason"):
            needed_reason(nothing)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "task_ids", [None, [], [7], list(range(1, 2_501))], ids=["none", "no", "one", "many"]
)
def test_an_operation_is_a_row_for_itself_and_one_for_each_task(task_ids: list[int] | None) -> None:
    scope = {"priority": "low"}
    operation = AuditLog.write_operation("done", actor="ada", reason="why", scope=scope, task_ids=task_ids)
    rows = AuditLog.objects.filter(operation_id=operation)
    itself = rows.get(task_id=None)
    assert itself.metadata == {"reason": "why", "scope": scope, "tasks": len(task_ids or [])}
    of_tasks = rows.exclude(task_id=None)
    assert list(of_tasks.order_by("task_id").values_list("task_id", flat=True)) == (task_ids or [])
    assert all(row.metadata == {"reason": "why", "scope": scope} for row in of_tasks)
    assert set(rows.values_list("actor", "category", "message")) == {("ada", "operator", "done")}


@pytest.mark.django_db
def test_two_operations_have_ids_of_their_own() -> None:
    first, second = (AuditLog.write_operation("x", actor="a", reason="r", scope={}) for _ in range(2))
    assert first != second


@pytest.mark.django_db
def test_an_event_is_one_row_of_no_operation() -> None:
    AuditLog.write_event(
        "somebody signed in",
        category=Category.ACCESS,
        level=Level.WARNING,
        actor="ada",
        details={"from": "::1"},
    )
    row = AuditLog.objects.get()
    assert (row.category, row.level, row.actor, row.metadata) == ("access", "warning", "ada", {"from": "::1"})
    assert (row.operation_id, row.task_id, row.event) == (None, None, "")
