"""What is answered about the queue: as much as the snapshot has, and how to go on with an act."""

from typing import Any

import pytest

from queueops.api import replies
from queueops.api.replies import OperationView, QueueSnapshot
from queueops.models import Operation, Task, Verb
from queueops.operate.operations import Preview
from tests.queueops.factories import make_space, make_tasks


@pytest.mark.django_db
def test_the_queues_answer_has_every_figure_and_no_other() -> None:
    make_tasks(1, make_space())
    told = replies.queue_now()
    assert set(told) == set(QueueSnapshot.model_fields)
    assert QueueSnapshot.model_validate(told).model_dump()["tasks"] == told["tasks"]


def test_no_figure_may_be_left_out() -> None:
    assert all(field.is_required() for field in QueueSnapshot.model_fields.values())


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_act_that_was_not_begun_has_a_sample_and_nothing_to_go_on_with(dry_run: bool) -> None:
    found = Preview(Verb.CANCEL, 7, [Task(pk=3, slug="a", status="pending")], {"gone": 2})
    assert replies.previewed(found, dry_run=dry_run) == {
        "dry_run": dry_run,
        "total": 7,
        "skips": {"gone": 2},
        "sample": [{"id": 3, "slug": "a", "status": "pending"}],
        "operation": None,
        "resume_url": None,
    }


def make_operation(**fields: Any) -> Operation:
    return Operation(**{"verb": Verb.CANCEL, "actor": "ada", "reason": "a drill", "total": 5} | fields)


@pytest.mark.django_db
@pytest.mark.parametrize(("status", "goes_on"), [("running", True), ("done", False), ("cancelled", False)])
def test_an_act_that_has_not_ended_says_where_to_go_on(status: str, goes_on: bool) -> None:
    operation = make_operation(status=status, skips={"gone": 1})
    told = replies.completed(operation)
    assert (told["dry_run"], told["total"], told["skips"], told["sample"]) == (False, 5, {"gone": 1}, [])
    assert told["resume_url"] == (f"/api/queue/operations/{operation.pk}/resume" if goes_on else None)
    assert told["operation"] is not None
    assert told["operation"]["state"] == ("interrupted" if goes_on else status)


@pytest.mark.django_db
def test_an_operation_is_shown_with_every_field_that_is_promised() -> None:
    assert set(replies.view(make_operation())) == set(OperationView.__annotations__)
