"""The verb that judges the queue: its exit code for monitors, its sentences for people."""

import json
from typing import Any

import pytest

from queueops.models import ProviderState, QueueState
from tests.queueops.cli_runner import queue_admin
from tests.queueops.factories import make_space, make_tasks, make_worker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _healthy() -> None:
    make_space()
    make_worker()


def run(*words: str) -> tuple[int, str]:
    """Exit code and what was printed."""
    called = queue_admin(*words)
    return called.code, called.out


@pytest.mark.parametrize(
    ("changes", "code", "status", "says"),
    [
        ({}, 0, "ok", "All saved articles"),
        (
            {"breaker": "open", "failures": 3, "last_error": "h answered 503"},
            1,
            "degraded",
            "has not responded",
        ),
        ({"blocked_until": "2999-01-01T00:00Z"}, 1, "degraded", "rate limit"),
    ],
)
def test_health_exits_by_its_condition(changes: dict[str, Any], code: int, status: str, says: str) -> None:
    ProviderState.objects.create(name="openai", **changes)
    found, said = run("health")
    assert (found, said.splitlines()[0]) == (code, status)
    assert says in said
    found, said = run("health", "--json")
    told = json.loads(said)
    assert (found, told["status"]) == (code, status)
    assert told["providers"][0]["name"] == "openai"


def test_health_of_a_stuck_queue_is_down() -> None:
    QueueState.objects.update(is_paused=True, changed_by="vectorpress", reason="the provider refuses us")
    assert run("health")[0] == 1
    from_long_ago = make_space()
    make_tasks(1, from_long_ago, scheduled_at="2000-01-01T00:00Z")
    assert run("health")[0] == 2
