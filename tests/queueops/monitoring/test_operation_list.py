"""Every operation that printed an id is listed, newest first, once, with its verb."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from queueops.models import AuditLog, Mode, Status, Verb
from queueops.monitoring import operation_list
from queueops.monitoring.operation_list import SINGLE_VERBS, VERBS, OperationFilter
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import controls, operations
from tests.paths import ROOT
from tests.queueops.cli_runner import queue_admin
from tests.queueops.factories import make_space, make_tasks, make_worker

pytestmark = pytest.mark.django_db
EVERY = OperationFilter()
WHY = {"actor": "ada", "reason": "a drill"}


def verbs(which: OperationFilter = EVERY, **how: Any) -> list[str]:
    rows, _ = operation_list.page(which, **{"limit": 50} | how)
    return [row["verb"] for row in rows]


@pytest.fixture
def done() -> None:
    """An operation of each kind, oldest first."""
    make_tasks(2, make_space())
    controls.pause(**WHY)
    controls.resume(**WHY)
    controls.stop(**WHY)
    controls.start(**WHY)
    controls.set_mode(Mode.SYNCHRONOUS, **WHY)
    controls.reset_providers(**WHY)
    operations.cancel(TaskFilter(), actor="bob", reason="too many")


def test_single_operations_are_listed_with_those_on_many_tasks(done: None) -> None:
    rows, following = operation_list.page(OperationFilter(), limit=50)
    assert [row["verb"] for row in rows] == ["cancel", "breaker", "mode", "start", "stop", "resume", "pause"]
    assert following is None
    single, many = rows[1], rows[0]
    assert single.keys() == many.keys()
    assert (single["state"], single["actor"], single["reason"]) == ("done", "ada", "a drill")
    assert (many["changed"], many["actor"], many["reason"]) == (2, "bob", "too many")


def test_an_emergency_stop_that_released_tasks_is_listed_once_under_its_name(db: None) -> None:
    make_worker()
    make_tasks(2, make_space(), Status.PROCESSING, claim_token=uuid4(), claimed_by="worker 1")
    stopped = controls.emergency_stop(**WHY)
    [row] = operation_list.page(OperationFilter(), limit=50)[0]
    assert (row["id"], row["verb"], row["changed"]) == (stopped.operation, "emergency-stop", 2)


@pytest.mark.parametrize(
    ("which", "found"),
    [
        (OperationFilter(verb="stop"), ["stop"]),
        (OperationFilter(verb="cancel"), ["cancel"]),
        (OperationFilter(actor="bob"), ["cancel"]),
        (OperationFilter(actor="nobody"), []),
        (OperationFilter(newer_than=timedelta(0)), []),
        (OperationFilter(verb="pause", newer_than=timedelta(hours=1)), ["pause"]),
        (OperationFilter(id=uuid4()), []),
    ],
)
def test_filters_are_taken_together(done: None, which: Any, found: Any) -> None:
    assert verbs(which) == found


def test_pages_follow_one_another_without_a_gap(done: None) -> None:
    seen, after = [], None
    for _ in range(10):
        rows, after = operation_list.page(OperationFilter(), after=after, limit=2)
        seen += [row["id"] for row in rows]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 7
    assert verbs(after=uuid4()) == []


def test_an_operation_with_many_rows_is_listed_once(db: None) -> None:
    operation = uuid4()
    for _ in range(3):
        AuditLog.objects.create(
            category="operator",
            operation_id=operation,
            message="batch",
            metadata={"scope": {"verb": "reindex"}},
        )
    assert verbs() == ["reindex"]


def test_a_row_of_an_older_version_is_listed_by_its_message(db: None) -> None:
    AuditLog.objects.create(category="operator", operation_id=uuid4(), message="queue paused", metadata=[])
    assert verbs() == ["queue paused"]


def test_every_verb_that_is_written_is_known() -> None:
    """A scope's verb as the code writes it, wherever that is."""
    written = set()
    for room in ("queueops", "config"):
        for path in (ROOT / room).rglob("*.py"):
            written |= set(re.findall(r'"verb": "([\w-]+)"', path.read_text()))
    assert written - set(SINGLE_VERBS) == set()
    assert set(VERBS) == {*SINGLE_VERBS, *Verb.values}


@pytest.mark.parametrize(
    "words",
    [
        ("pause",),
        ("resume",),
        ("stop",),
        ("start",),
        ("emergency-stop",),
        ("mode", "synchronous"),
        ("breaker", "--reset"),
        ("cancel", "--all", "--yes"),
    ],
)
def test_an_id_that_a_command_prints_is_listed(words: tuple[str, ...]) -> None:
    make_tasks(1, make_space())
    printed = queue_admin(*words, "--reason=a drill", "--json").json
    [row] = queue_admin("operations", "--json").json["operations"]
    assert (row["verb"], row["id"]) == (words[0], printed["operation"])


def test_the_list_reads_no_row_of_a_task() -> None:
    """Operations on millions of tasks have as many audit rows."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        given = {**vars(OperationFilter()), "after": None, "limit": 20}
        cursor.execute("EXPLAIN " + operation_list._STATEMENT, given)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "embedding_audit_operations" in plan
