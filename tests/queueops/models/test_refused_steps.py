"""A step that the database refuses is written down for health, at intervals, and never as an error of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection

from queueops.models import Metric, refused_steps

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_recorded() -> Iterator[None]:
    refused_steps.forget()
    yield
    refused_steps.forget()


def recorded() -> list[tuple[str, str]]:
    return list(Metric.objects.order_by("id").values_list("labels__step", "labels__reason"))


def test_a_step_is_recorded_once_an_interval_for_each_reason() -> None:
    for step, reason in (("sweep", "full"), ("sweep", "full"), ("sweep", "read-only"), ("sample", "full")):
        refused_steps.record(step, reason)
    assert recorded() == [("sweep", "full"), ("sweep", "read-only"), ("sample", "full")]


def test_after_the_interval_it_is_recorded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_steps, "_SECONDS", 0.0)
    refused_steps.record("sweep", "full")
    refused_steps.record("sweep", "full")
    assert recorded() == [("sweep", "full")] * 2


@pytest.mark.django_db(transaction=True)
def test_a_refused_step_that_could_not_be_recorded_is_recorded_the_next_time() -> None:
    def refuse(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        raise OperationalError("the disk is full")

    with connection.execute_wrapper(refuse):
        refused_steps.record("sweep", "full")
    assert recorded() == []
    refused_steps.record("sweep", "full")
    assert recorded() == [("sweep", "full")]


def test_a_database_that_is_away_is_not_a_refusal() -> None:
    refused_steps.note("sweep", OperationalError("connection refused"))
    assert recorded() == []
