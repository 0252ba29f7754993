"""Lists of tasks: what a row says of its times, where a page ends, and the kinds of error among the newest failures."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from embeddings.models import Space
from queueops.models import Priority, Status, Task
from queueops.monitoring import task_lists
from queueops.monitoring.task_filter import TaskFilter
from queueops.monitoring.task_lists import TaskRow
from tests.queueops.factories import make_space, make_tasks

DUE, BEGAN, ENDED = (datetime(2026, 1, 31, hour, tzinfo=UTC) for hour in (1, 2, 3))
WAITS = TaskRow(
    id=1, slug="a", status="pending", priority="normal", attempts=0, max_attempts=3, created_at=DUE, scheduled_at=DUE,
    processed_at=None, completed_at=None, lease_expires_at=None, claimed_by="", outcome="", error_class="",
    error_message="", reason="edit", space="s",
)  # fmt: skip


@pytest.mark.parametrize(
    ("status", "began", "ended", "since", "seconds"),
    [
        ("pending", None, None, DUE, None),
        ("pending", BEGAN, None, DUE, None),  # after an attempt that failed
        ("processing", BEGAN, None, BEGAN, None),
        ("processing", None, None, DUE, None),  # by plain SQL
        ("completed", BEGAN, ENDED, ENDED, 3600.0),
        ("cancelled", None, ENDED, ENDED, None),
        ("failed", BEGAN, BEGAN, BEGAN, 0.0),
    ],
)
def test_a_row_says_since_when_it_is_what_it_is_and_how_long_it_took(
    status: str, began: datetime | None, ended: datetime | None, since: datetime, seconds: float | None
) -> None:
    row = replace(WAITS, status=status, processed_at=began, completed_at=ended)
    assert (row.since, row.seconds) == (since, seconds)


@pytest.fixture
def space(db: None) -> Space:
    return make_space()


@pytest.mark.parametrize(("count", "limit", "sizes"), [(0, 2, [0]), (1, 2, [1]), (2, 2, [2]), (3, 2, [2, 1])])
def test_a_page_names_the_next_only_where_there_is_one(
    space: Space, count: int, limit: int, sizes: list[int]
) -> None:
    make_tasks(count, space)
    found, after = [], None
    for size in sizes:
        page = task_lists.page(Status.PENDING, after=after, limit=limit)
        assert len(page.tasks) == size
        found += [row.id for row in page.tasks]
        after = page.next
    assert after is None
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == count


def test_a_page_after_the_last_task_is_empty(space: Space) -> None:
    [task] = make_tasks(1, space)
    page = task_lists.page(Status.PENDING, after=task.pk)
    assert (page.tasks, page.next) == ([], None)


def test_a_page_has_what_fits_everything_that_is_given(space: Space) -> None:
    make_tasks(1, space, Status.FAILED, error_class="auth")
    [wanted] = make_tasks(1, space, Status.FAILED, error_class="auth", priority="low")
    make_tasks(1, space, Status.FAILED, error_class="transient", priority="high")
    page = task_lists.page(Status.FAILED, error_class="auth", priority=Priority.LOW)
    assert [row.id for row in page.tasks] == [wanted.pk]


def test_a_filter_has_pages_as_a_status_has(space: Space) -> None:
    tasks = make_tasks(3, space)
    page = task_lists.selected(TaskFilter(ids=tuple(task.pk for task in tasks[:2])), limit=1)
    assert ([row.id for row in page.tasks], page.next) == ([tasks[1].pk], tasks[1].pk)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ('{"reason": "import"}', "import"),
        ("{}", ""),
        ("[1]", ""),
        ("null", ""),
        ('"text"', ""),
        ('{"reason": 7}', "7"),
    ],
)
def test_whatever_plain_sql_wrote_into_its_metadata_a_task_is_listed(
    space: Space, metadata: str, reason: str
) -> None:
    make_tasks(1, space)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE embedding_tasks SET metadata = %s::jsonb", [metadata])
    [row] = task_lists.page(Status.PENDING).tasks
    assert (row.reason, row.space) == (reason, "openai/fake-embed v100")


def test_tasks_that_have_not_ended_are_not_among_the_recent(space: Space) -> None:
    make_tasks(1, space)
    make_tasks(1, space, Status.PROCESSING, priority="low")
    ended = {make_tasks(1, space, status)[0].pk for status in ("completed", "failed", "cancelled")}
    assert {row.id for row in task_lists.recent(10)} == ended
    assert len(task_lists.recent(2)) == 2


def test_a_kind_of_error_shows_the_message_of_its_newest_task(space: Space) -> None:
    make_tasks(2, space, Status.FAILED, error_class="auth", error_message="the old key")
    [newest] = make_tasks(
        1, space, Status.FAILED, error_class="auth", error_message="the new key", priority="low"
    )
    make_tasks(1, space, Status.FAILED, error_class="", priority="high")
    first, second = task_lists.failure_kinds()
    assert (first.error_class, first.tasks, first.newest, first.message) == (
        "auth",
        3,
        newest.pk,
        "the new key",
    )
    assert (second.error_class, second.tasks, second.message) == ("unknown", 1, "")


def test_of_many_failures_the_newest_show_the_kinds(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_lists, "NEWEST", 2)
    make_tasks(3, space, Status.FAILED, error_class="auth")
    make_tasks(2, space, Status.FAILED, error_class="transient", priority="low")
    assert [(kind.error_class, kind.tasks) for kind in task_lists.failure_kinds()] == [("transient", 2)]
    Task.objects.filter(error_class="transient").update(completed_at=Now() - timedelta(days=9))
    assert [kind.error_class for kind in task_lists.failure_kinds()] == [
        "transient"
    ]  # by their ids, not their ends


def test_without_failures_there_are_no_kinds(db: None) -> None:
    assert task_lists.failure_kinds() == []
