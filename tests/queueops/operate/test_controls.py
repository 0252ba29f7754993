"""What switches the whole queue, who may overrule whom, and what it leaves behind."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models.functions import Now

from queueops.admission import gate
from queueops.models import (
    AuditLog,
    Operation,
    ProviderState,
    QueueState,
    Status,
    Task,
    Worker,
    worker_registry,
)
from queueops.models.audit import ReasonMissing
from queueops.operate import controls
from tests.queueops.factories import make_space, make_tasks, make_worker

pytestmark = pytest.mark.django_db


def queue() -> tuple[bool, str, str]:
    row = QueueState.objects.get()
    return row.is_paused, row.changed_by, row.reason


def test_a_pause_says_who_and_why(rings: list[bool]) -> None:
    operation = controls.pause(actor="ada", reason="  an  upgrade ")
    assert queue() == (True, "ada", "an upgrade")
    entry = AuditLog.objects.get(operation_id=operation)
    assert (entry.message, entry.actor, entry.metadata["reason"]) == ("queue paused", "ada", "an upgrade")
    assert rings == []


@pytest.mark.parametrize("reason", ["", " \n"])
def test_a_pause_needs_a_reason(reason: str) -> None:
    with pytest.raises(ReasonMissing):
        controls.pause(actor="ada", reason=reason)
    assert not queue()[0]


def test_resuming_clears_the_reason_and_rings(rings: list[bool]) -> None:
    controls.pause(actor="ada", reason="an upgrade")
    controls.resume(actor="bob")
    assert queue() == (False, "bob", "")
    assert rings == [True]
    assert list(AuditLog.objects.order_by("id").values_list("message", "actor")) == [
        ("queue paused", "ada"),
        ("queue resumed", "bob"),
    ]


def test_a_reset_forgets_outages_and_blocks_and_rings(rings: list[bool]) -> None:
    ProviderState.objects.create(
        name="openai", breaker="open", retry_at="2999-01-01T00:00Z", failures=3, openings=2, opened_at=Now()
    )
    ProviderState.objects.create(name="ollama", blocked_until="2999-01-01T00:00Z", tokens_today=5)
    ProviderState.objects.create(name="local", blocked_until="2999-01-01T00:00Z")
    done = controls.reset_providers(["openai", "ollama"], actor="ada", reason="it is back")
    assert done.providers == ["ollama", "openai"]
    assert (gate.admit("openai").wait, gate.admit("ollama").wait) == (0, 0)
    assert gate.admit("local").wait > 0
    assert ProviderState.objects.get(name="ollama").tokens_today == 5
    assert rings == [True]
    entry = AuditLog.objects.get()
    assert entry.metadata["scope"] == {"verb": "breaker", "providers": ["ollama", "openai"]}


def test_a_reset_needs_a_reason() -> None:
    with pytest.raises(ReasonMissing):
        controls.reset_providers(actor="ada", reason=" ")


def running() -> set[bool]:
    return set(Worker.objects.values_list("is_running", flat=True))


def test_a_stop_pauses_and_brakes_every_worker_and_a_start_takes_both_back(rings: list[bool]) -> None:
    make_worker(name="a")
    make_worker(name="b")
    stopped = controls.stop(actor="ada", reason="an upgrade")
    assert (queue(), running()) == ((True, "ada", "an upgrade"), {False})
    entry = AuditLog.objects.get(operation_id=stopped)
    assert entry.message == "queue stopped"
    assert entry.metadata["scope"] == {"verb": "stop", "is_paused": True, "workers": 2}
    assert rings == []
    controls.start(actor="bob")
    assert (queue(), running(), rings) == ((False, "bob", ""), {True}, [True])


def test_a_worker_that_starts_after_a_stop_stays_stopped() -> None:
    make_worker()
    controls.stop(actor="ada", reason="an upgrade")
    assert not worker_registry.register().is_running


def test_an_emergency_stop_leaves_nothing_in_work_and_loses_nothing() -> None:
    space = make_space()
    make_worker()
    make_tasks(3, space, Status.PROCESSING)
    make_tasks(2, space)
    stopped = controls.emergency_stop(actor="ada", reason="it writes nonsense")
    assert (stopped.workers, stopped.released, queue()[0], running()) == (1, 3, True, {False})
    assert set(Task.objects.values_list("status", "attempts")) == {("pending", 0)}
    assert AuditLog.objects.filter(message="tasks released", task_id__isnull=False).count() == 3
    its = AuditLog.objects.filter(operation_id=stopped.operation)
    assert its.filter(task_id=None).order_by("id").values_list("message", flat=True)[0] == "emergency stop"
    assert its.count() == AuditLog.objects.count() == 5
    assert Operation.objects.get().pk == stopped.operation


@pytest.mark.parametrize("act", [controls.stop, controls.emergency_stop])
def test_a_stop_needs_a_reason(act: Callable[..., Any]) -> None:
    make_worker()
    with pytest.raises(ReasonMissing):
        act(actor="ada", reason=" ")
    assert (queue()[0], running()) == (False, {True})
