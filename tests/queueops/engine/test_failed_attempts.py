"""Failed attempts in a task's metadata, and reading them even after plain SQL has changed it."""

from typing import Any

import pytest
from django.db import connection

from embeddings.models import Space
from queueops.engine import claims, execution, failed_attempts
from queueops.models import Task, Worker
from tests.providers import FakeProvider
from tests.queueops.factories import make_tasks

pytestmark = pytest.mark.django_db(transaction=True)


def run_attempt(space: Space, worker: Worker) -> None:
    Task.objects.update(scheduled_at="2020-01-01T00:00Z")
    execution.execute(claims.claim_due(space, 10, worker.pk, worker.name))


def kept() -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(metadata->'failed_attempts', '[]') FROM embedding_tasks")
        (found,) = cursor.fetchone()
    return [(made.attempt, made.error_class) for made in failed_attempts.of(found)]


def test_what_failed_attempts_met_stays_when_a_later_one_succeeds(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    # two of the text, two of the harmless one that tells whose fault it is, two in another form
    provider.config(fail_next=["500"] * 6)
    make_tasks(1, space, metadata={"reason": "edit"})
    for _ in range(3):
        run_attempt(space, worker)
    task = Task.objects.get()
    assert (task.status, task.error_message, task.metadata["reason"]) == ("completed", "", "edit")
    assert kept() == [(1, "transient"), (2, "transient")]


def test_an_attempt_that_is_not_charged_leaves_nothing(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    provider.config(fail_next=["429"])
    make_tasks(1, space)
    run_attempt(space, worker)
    assert kept() == []


def test_so_many_are_kept_and_no_more(space: Space, worker: Worker, provider: FakeProvider) -> None:
    earlier = [
        {"attempt": n, "at": "2026-11-22T18:00:00+00:00", "error_class": "transient", "error_message": "-"}
        for n in range(100, 100 + failed_attempts.MOST_KEPT)
    ]
    provider.config(fail_next=["500"] * 4)
    make_tasks(1, space, metadata={"failed_attempts": earlier})
    run_attempt(space, worker)
    assert [attempt for attempt, _ in kept()] == [*range(101, 100 + failed_attempts.MOST_KEPT), 1]


@pytest.mark.parametrize(
    "metadata", [[], "a word", 7, {"failed_attempts": "a word"}, {"failed_attempts": {"attempt": 1}}]
)
def test_what_plain_sql_put_there_keeps_no_batch_from_being_settled(
    space: Space, worker: Worker, provider: FakeProvider, metadata: Any
) -> None:
    provider.config(fail_next=["500"] * 4)
    make_tasks(1, space, metadata=metadata)
    run_attempt(space, worker)
    assert Task.objects.get().status == "pending"
    assert kept() in ([], [(1, "transient")])


@pytest.mark.parametrize(
    "json",
    [
        "7",
        '"a word"',
        "[7]",
        "[null]",
        '[{"attempt": "x"}]',
        '[{"attempt": 1, "at": 7, "error_class": "", "error_message": ""}]',
        '[{"attempt": 1e400, "at": "2026-11-22T18:00:00Z"}]',
    ],
)
def test_json_of_another_form_is_not_read_as_attempts(json: str) -> None:
    assert failed_attempts.of(json) == []
