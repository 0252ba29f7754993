"""What requests about the queue may hold, and the selection that a filter becomes."""

import uuid
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ValidationError as DjangoValidationError
from pydantic import BaseModel, ValidationError

from articles.limits import MAX_SLUG
from queueops.api import fields
from queueops.models.audit import MAX_REASON
from queueops.monitoring.task_filter import TaskFilter


@pytest.mark.parametrize("reason", ["x", "  x  ", "é" * MAX_REASON, "two\nlines"])
def test_a_reason_that_says_something_is_taken(reason: str) -> None:
    fields.check_reason(reason)


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("\u2003", "empty"),
        ("x" * (MAX_REASON + 1), "500"),
        ("a\x00", "x00"),
    ],
)
def test_a_reason_that_says_nothing_or_too_much_is_refused(reason: str, says: str) -> None:
    with pytest.raises(DjangoValidationError, match=says):
        fields.check_reason(reason)


@pytest.mark.parametrize(
    ("given", "selection"),
    [
        ({"all": True}, TaskFilter()),
        ({"ids": [1, 2]}, TaskFilter(ids=(1, 2))),
        ({"status": ["failed", "cancelled"]}, TaskFilter(statuses=("failed", "cancelled"))),
        ({"error_class": "auth", "reason": "import"}, TaskFilter(error_class="auth", reason="import")),
        ({"priority": "low", "space": 3}, TaskFilter(priority="low", space=3)),
        (
            {"older_than_seconds": 60, "newer_than_seconds": 3600},
            TaskFilter(older_than=timedelta(minutes=1), newer_than=timedelta(hours=1)),
        ),
        ({"slug": "s" * MAX_SLUG}, TaskFilter(slug="s" * MAX_SLUG)),
        ({"older_than_seconds": fields.MAX_AGE_SECONDS}, TaskFilter(older_than=timedelta(days=36_500))),
    ],
)
def test_a_filter_means_what_the_shells_would(given: dict[str, Any], selection: TaskFilter) -> None:
    asked = fields.Filter.model_validate(given)
    assert asked.selection(tuple(asked.ids) or None) == selection


BAD: list[dict[str, Any]] = [
    {},
    {"all": False},
    {"all": None},
    {"ids": []},
    {"ids": [0]},
    {"ids": [-1]},
    {"ids": [fields.MAX_ID + 1]},
    {"ids": ["1"]},
    {"ids": [1.5]},
    {"ids": [True]},
    {"ids": list(range(1, fields.MAX_IDS + 2))},
    {"status": ["done"]},
    {"status": "failed"},
    {"status": ["failed"] * 6},
    {"priority": "urgent"},
    {"priority": ""},
    {"priority": None},
    {"error_class": ""},
    {"error_class": "x" * (fields.MAX_WORD + 1)},
    {"error_class": "a\x00"},
    {"reason": "a\x00"},
    {"older_than_seconds": 0},
    {"newer_than_seconds": -5},
    {"older_than_seconds": fields.MAX_AGE_SECONDS + 1},
    {"older_than_seconds": 10**30},
    {"space": 0},
    {"slug": ""},
    {"slug": "s" * (MAX_SLUG + 1)},
    {"slug": "a\x00b"},
    {"unknown": 1},
]


@pytest.mark.parametrize("given", BAD, ids=lambda given: str(given)[:40])
def test_a_filter_that_means_nothing_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        fields.Filter.model_validate(given)


def test_as_many_ids_as_are_taken_are_taken() -> None:
    assert (
        len(fields.Filter.model_validate({"ids": list(range(1, fields.MAX_IDS + 1))}).ids) == fields.MAX_IDS
    )


def test_a_list_without_words_is_the_first_page_of_all() -> None:
    asked = fields.TasksAsked.model_validate({})
    assert (asked.selection(), asked.after, asked.limit) == (TaskFilter(), 0, 50)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (fields.TasksAsked, {"limit": 0}),
        (fields.TasksAsked, {"limit": fields.MAX_PAGE + 1}),
        (fields.TasksAsked, {"after": 0}),
        (fields.TasksAsked, {"after": fields.MAX_ID + 1}),
        (fields.TasksAsked, {"ids": [1]}),
        (fields.OperationsAsked, {"after": "x"}),
        (fields.OperationsAsked, {"after": ""}),
        (fields.OperationsAsked, {"limit": fields.MAX_PAGE + 1}),
        (fields.OperationsAsked, {"status": "running"}),
    ],
)
def test_a_page_that_there_cannot_be_is_refused(asked: type[BaseModel], given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        asked.model_validate(given)


def test_operations_go_on_from_an_id() -> None:
    after = uuid.uuid4()
    assert fields.OperationsAsked.model_validate({"after": str(after)}).after == after


@pytest.mark.parametrize("mode", ["queued", "synchronous", "disabled", "environment"])
def test_a_mode_needs_a_reason(mode: str) -> None:
    assert fields.NewMode.model_validate({"mode": mode, "reason": "a drill"}).mode == mode
    with pytest.raises(ValidationError):
        fields.NewMode.model_validate({"mode": mode})


@pytest.mark.parametrize("mode", ["", "QUEUED", "off", None])
def test_a_mode_that_there_is_not_is_refused(mode: str | None) -> None:
    with pytest.raises(ValidationError):
        fields.NewMode.model_validate({"mode": mode, "reason": "a drill"})


def test_an_act_changes_something_unless_it_says_otherwise() -> None:
    given = {"filter": {"all": True}, "reason": "a drill"}
    assert fields.BulkRequest.model_validate(given).dry_run is False
    with pytest.raises(ValidationError):
        fields.BulkRequest.model_validate(given | {"dry_run": "yes please"})
    with pytest.raises(ValidationError):
        fields.Prioritize.model_validate(given)


@pytest.mark.parametrize("name", ["a token", "", "n" * 150, "n" * 151])
def test_the_actor_is_the_tokens_name_as_far_as_the_audit_log_has_room(name: str) -> None:
    request: Any = SimpleNamespace(auth=SimpleNamespace(name=name))
    assert fields.actor(request) == name[:150]
