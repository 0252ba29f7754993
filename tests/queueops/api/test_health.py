"""Health for anybody, figures for the holder of a token."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import OperationalError
from django.db.models.functions import Now
from django.test import Client

from access.models import ApiToken
from embeddings.models import Space
from queueops.api import health
from queueops.base import table_locks
from queueops.models import QueueState
from queueops.monitoring import snapshot
from tests.queueops.factories import make_space, make_tasks, make_worker
from tests.responses import Response
from tests.table_locks import STRANGER, locked, waiting_at_most
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)  # health looks through a session of its own


@pytest.fixture
def space() -> Space:
    return make_space()


def bearer(text: str) -> dict[str, Any]:
    return {"HTTP_AUTHORIZATION": f"Bearer {text}"}


def test_all_well_is_ok(client: Client, space: Space) -> None:
    make_worker()
    response = client.get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response["Cache-Control"]


def test_a_paused_queue_is_degraded_but_answers_200(client: Client, space: Space) -> None:
    make_worker()
    QueueState.objects.update(is_paused=True, reason="secret reason")
    response = client.get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "degraded"})


def test_the_answer_is_held_for_a_second(client: Client, space: Space) -> None:
    make_worker()
    assert client.get("/health").json() == {"status": "ok"}
    QueueState.objects.update(is_paused=True)
    assert client.get("/health").json() == {"status": "ok"}
    assert client.head("/health").status_code == 200
    wait_until(lambda: client.get("/health").json() == {"status": "degraded"}, 5)


def test_work_that_nobody_does_is_down(client: Client, space: Space) -> None:
    make_tasks(1, space, scheduled_at=Now() - timedelta(minutes=5))
    response = client.get("/health")
    assert (response.status_code, response.json()) == (503, {"status": "down"})


def test_a_database_that_does_not_answer_is_down_and_no_more_is_said(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OperationalError("connection to server at 10.0.0.7 failed: password authentication failed")

    monkeypatch.setattr(snapshot, "take_despite_locks", refuse)
    response = client.get("/health")
    assert (response.status_code, response.json()) == (503, {"status": "down"})


@pytest.mark.parametrize(
    "table", ["articles", "article_embeddings", "embedding_tasks", "embedding_spaces", "api_tokens"]
)
def test_a_locked_table_is_named_with_its_holder_in_two_seconds(
    client: Client, space: Space, table: str
) -> None:
    make_worker()
    with locked(table) as pid:
        wait_until(table_locks.held)
        answer = wait_until(lambda: _reply_in_time(client), 30)
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    (told,) = answer.json()["locked"]
    assert (told["table"], told["by"], told["pid"]) == (table, STRANGER, pid)
    assert set(told) == {"table", "by", "pid", "seconds"}
    health.seen.forget()
    assert client.get("/health").json() == {"status": "ok"}


def _reply_in_time(client: Client) -> Response | None:
    """An answer about locks within two seconds; a machine that is busy with other work gets another try."""
    health.seen.forget()
    began = time.monotonic()
    answer = client.get("/health")
    return answer if time.monotonic() - began < 2 and "locked" in answer.json() else None


def test_a_database_that_hangs_is_down_in_two_seconds(
    client: Client, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()
    monkeypatch.setattr(snapshot, "take_despite_locks", lambda: may_end.wait(20))
    began = time.monotonic()
    answers = [client.get("/health") for _ in range(3)]
    assert health.SECONDS_TO_READ < 2
    assert (
        time.monotonic() - began < 10
    )  # a machine that is busy with other work, and far from the 20 s of the reading
    assert {(each.status_code, each.json()["status"]) for each in answers} == {(503, "down")}
    may_end.set()


def test_figures_that_a_lock_keeps_from_being_read_are_a_problem_with_a_time_to_try_again(
    client: Client, space: Space
) -> None:
    with waiting_at_most(100), locked("embedding_tasks"):
        answer = client.get("/stats", **bearer(configured.AUTH_TOKEN))
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "the database is locked" in answer.json()["detail"]


def test_the_figures_are_for_the_holder_of_a_token(client: Client, space: Space) -> None:
    make_tasks(3, space)
    found = client.get("/stats", **bearer(configured.AUTH_TOKEN)).json()
    assert found["tasks"]["pending"] == 3
    assert found["status"] == "degraded"
    assert found["reasons"] == ["No worker is alive."]


@pytest.mark.parametrize("headers", [{}, bearer("wrong"), {"HTTP_AUTHORIZATION": "Basic YTpi"}])
def test_without_a_token_there_are_no_figures(client: Client, space: Space, headers: dict[str, Any]) -> None:
    response = client.get("/stats", **headers)
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response["Content-Type"] == "application/problem+json"


def test_a_token_without_the_scope_gets_no_figures(client: Client, space: Space) -> None:
    _, text = ApiToken.objects.issue("writer", ["write"])
    assert client.get("/stats", **bearer(text)).status_code == 403
