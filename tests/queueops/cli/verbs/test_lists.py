"""The verbs that list tasks: what they show, page by page, and from which index."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from embeddings.models import Space
from queueops.cli.verbs import lists
from queueops.models import Status, Task
from queueops.monitoring import task_lists
from tests.queueops.cli_runner import queue_admin
from tests.queueops.factories import make_space, make_tasks, make_worker
from tests.queueops.monitoring.test_task_lists import WAITS

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def space() -> Space:
    make_worker()
    return make_space()


def make_failed(count: int, space: Space, **fields: Any) -> list[Task]:
    """Failed tasks; the fields tell their error."""
    return make_tasks(count, space, Status.FAILED, **fields)


def test_recent_shows_what_ended_last_first(space: Space) -> None:
    first, second = make_failed(2, space)
    Task.objects.filter(pk=first.pk).update(completed_at=Now() + timedelta(minutes=1))
    assert [row["id"] for row in queue_admin("recent", "--json").json["tasks"]] == [first.pk, second.pk]
    assert len(queue_admin("recent", "--limit=1", "--json").json["tasks"]) == 1
    assert first.slug in queue_admin("recent").out


def test_nothing_to_list_is_said() -> None:
    assert queue_admin("recent").out == "No task has ended yet.\n"
    assert queue_admin("failed").out == "No task has failed.\n"
    assert queue_admin("list", "pending").out == "No pending tasks.\n"


def test_failed_counts_the_kinds_of_error_and_shows_the_newest(space: Space) -> None:
    make_failed(3, space, error_class="transient", error_message="h answered 500")
    (poison,) = make_failed(1, space, error_class="invalid_input", error_message="poison", priority="high")
    told = queue_admin("failed", "--limit=2", "--json").json
    assert [(kind["error_class"], kind["tasks"]) for kind in told["kinds"]] == [
        ("transient", 3), ("invalid_input", 1),
    ]  # fmt: skip
    assert told["tasks"][0]["id"] == poison.pk
    assert len(told["tasks"]) == 2
    said = queue_admin("failed", "--error=invalid_input").out
    assert "poison" in said
    assert f"task {poison.pk}" in queue_admin("failed", "--details").out


def test_failed_with_details_shows_the_whole_message(space: Space) -> None:
    make_failed(1, space, error_class="transient", error_message="long " * 50)
    assert ("long " * 50).strip() not in queue_admin("failed").out
    assert ("long " * 50).strip() in queue_admin("failed", "--details").out


def test_a_list_goes_on_page_by_page(space: Space) -> None:
    made = [task.pk for task in make_tasks(5, space)]
    found: list[int] = []
    after: list[str] = []
    while True:
        page = queue_admin("list", "pending", "--limit=2", "--json", *after).json
        found += [row["id"] for row in page["tasks"]]
        if page["next"] is None:
            break
        after = [f"--after={page['next']}"]
    assert found == sorted(made, reverse=True)
    assert "More: --after" in queue_admin("list", "pending", "--limit=2").out


def test_a_list_is_narrowed_by_priority_and_error(space: Space) -> None:
    make_failed(1, space, error_class="transient")
    make_failed(2, space, error_class="too_long", priority="high")
    assert len(task_lists.page(Status.FAILED, error_class="too_long").tasks) == 2
    assert len(queue_admin("list", "failed", "--priority=normal", "--json").json["tasks"]) == 1


def test_a_page_of_failures_and_what_ended_last_are_read_by_index(space: Space) -> None:
    make_tasks(2_000, space)
    make_failed(100, space)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE embedding_tasks")
    newest = Task.objects.failed().newest_first()[0]
    failed = Task.objects.failed().filter(pk__lt=newest.pk).newest_first()[:50]
    assert "embedding_tasks_ended_badly" in failed.explain()
    ended = Task.objects.filter(completed_at__isnull=False).order_by("-completed_at")[:20]
    assert "embedding_tasks_completed" in ended.explain()


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("007", 7), (str(2**63 - 1), 2**63 - 1)])
def test_an_id_of_a_task_is_taken(text: str, number: int) -> None:
    assert lists.task_id(text) == number


@pytest.mark.parametrize(
    ("since", "told"),
    [(None, ""), (datetime(2026, 1, 31, 1, 2, 3, 999_999, tzinfo=UTC), "2026-01-31 01:02:03")],
)
def test_a_moment_is_shown_to_the_second(since: datetime | None, told: str) -> None:
    assert lists.moment(since) == told


@pytest.mark.parametrize(
    ("message", "cell"),
    [
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 99 + "…"),
        ("a\nb", "a b"),
        ("\x1b[2J\u202e", "\\x1b[2J\\u202e"),
        ("", "embedded"),
    ],
)
def test_a_row_has_its_error_cut_to_a_line_or_else_its_outcome(message: str, cell: str) -> None:
    row = replace(WAITS, status="failed", error_message=message, outcome="embedded")
    assert str(lists._cells(row)[-1]) == cell
