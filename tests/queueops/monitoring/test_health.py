"""Health is a pure judgement of a snapshot; a table of cases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models.functions import Now, TruncDate
from pytest_django import Settings

from embeddings.models import Space
from lib.durations import age
from queueops.base.table_locks import TableLock
from queueops.models import ProviderState, Status, Worker
from queueops.models.metric import STATUS_STEP
from queueops.monitoring import snapshot
from queueops.monitoring.health import Condition, judge, workers
from queueops.monitoring.provider_status import ProviderStatus
from queueops.monitoring.snapshot import Snapshot
from tests.queueops.factories import make_tasks

WELL = Snapshot(
    mode="queued",
    mode_in_settings="queued",
    paused=False,
    reason="",
    changed_by="",
    tasks=dict.fromkeys(Status.values, 0),
    due=0,
    oldest_due_age=None,
    expired_leases=0,
    completed_5m=0,
    failed_5m=0,
    completed_1h=0,
    failed_1h=0,
    workers_alive=2,
    workers_stopped=0,
    last_claim_age=1.0,
    sweep_age=1.0,
    space="local/all-MiniLM-L6-v2 v1",
    articles=10,
    embedded=10,
)
LATE: Any = {"due": 3, "oldest_due_age": 120.0}
STUCK: Any = {"due": 3, "oldest_due_age": 1800.0}
SPENT: Any = STUCK | {"last_claim_age": 1800.0, "providers": (ProviderStatus("openai", is_spent=True),)}
OUT = ProviderStatus(
    "openai",
    breaker="open",
    out_for=300.0,
    retry_in=12.0,
    last_error="api.example answered 503: it is not ready",
)
SELF_PAUSED: Any = {"paused": True, "paused_itself": True, "changed_by": "vectorpress", "reason": "no money."}

FULL: Any = {"refusal": "53100 disk full: could not extend file"}

REFUSED: Any = {
    "workers_alive": 0,
    "workers_silent": 2,
    "steps_refused": {STATUS_STEP: "P0001 refused by a trigger: not today."},
}
AT_WORK: Any = {"workers_alive": 0, "workers_silent": 2, "last_completed_age": 3.0}
ROWS = TableLock("embedding_worker_status", 7, "psql", "rows", 70.0, 2, [])
UNWRITTEN = [
    (
        LATE | REFUSED,
        "cannot update their rows of embedding_worker_status (P0001 refused by a trigger: not today)",
    ),
    (
        LATE | {"workers_alive": 0, "locks": (ROWS,)},
        "rows of embedding_worker_status (locked by another session)",
    ),
    (
        LATE | AT_WORK,
        "rows of embedding_worker_status (a task was completed 3 s ago), so they do not count as alive",
    ),
    (
        LATE | {"workers_alive": 0, "expired_leases": 4, "is_read_only": True},
        "The database is read-only (25006)",
    ),
]

CASES = [
    (
        FULL | {"refused_for": 20.0},
        "degraded",
        "has accepted no vectors for 20 s (53100 disk full: could not extend file)",
    ),
    (
        FULL | {"refused_for": 200.0},
        "down",
        "has accepted no vectors for 3 min (53100 disk full: could not extend file)",
    ),
    (
        STUCK | FULL | {"refused_for": 20.0, "last_claim_age": 1800.0},
        "degraded",
        "has accepted no vectors for 20 s",
    ),
    ({"is_read_only": True}, "down", "The database is read-only (25006)"),
    ({"is_read_only": True} | FULL, "down", "The database is read-only (25006)"),
    ({}, "ok", ""),
    ({"due": 500, "oldest_due_age": 5.0}, "ok", ""),
    ({"failed_5m": 4, "completed_5m": 0}, "ok", ""),
    ({"failed_5m": 10, "completed_5m": 1000}, "ok", ""),
    ({"failed_5m": 10, "completed_5m": 20}, "degraded", "10 of 30 tasks failed in the last five minutes"),
    (LATE, "degraded", "due for 2 min"),
    (LATE | {"workers_alive": 0}, "down", "No worker is alive, and work has waited for 2 min"),
    ({"workers_alive": 0}, "degraded", "No worker is alive"),
    ({"sweep_age": 300.0}, "degraded", "The last sweep was 5 min ago"),
    ({"sweep_age": -3600.0}, "ok", ""),  # ahead of now: the next beat of a worker sweeps
    ({"sweep_age": 300.0, "workers_alive": 0}, "degraded", "No worker is alive"),
    (LATE | {"workers_alive": 0, "workers_stopped": 1}, "degraded", "1 worker is stopped. To start: "),
    (STUCK | {"last_claim_age": 1800.0}, "down", "claim nothing"),
    (STUCK | {"last_claim_age": None}, "down", "claim nothing"),
    (STUCK | {"last_claim_age": 2.0}, "degraded", "due for 30 min"),
    ({"paused": True, "changed_by": "ada", "reason": "upgrade."}, "degraded", "paused by ada: upgrade."),
    (STUCK | {"paused": True, "last_claim_age": None}, "degraded", "The queue is paused."),
    ({"workers_lost_10m": 2, "lost_waiting": 7}, "ok", ""),
    (
        {"workers_lost_10m": 6, "lost_waiting": 7},
        "degraded",
        "Workers were lost 6 times in the last ten minutes; 7 tasks they held will be retried in small batches",
    ),
    (
        {"workers_lost_10m": 3},
        "degraded",
        "lost 3 times in the last ten minutes. See: python manage.py queue_admin metrics",
    ),
    ({"expired_leases": 2}, "degraded", "2 tasks are held by a worker past the lease"),
    ({"space": None}, "degraded", "No embedding space serves"),
    ({"mode": "disabled", "mode_in_settings": "disabled"}, "degraded", "switched off"),
    ({"mode": "synchronous", "mode_in_settings": "synchronous", "workers_alive": 0}, "ok", ""),
    (
        {"mode": "synchronous", "mode_changed_by": "ada", "mode_reason": "no Redis"},
        "degraded",
        "synchronous by ada: no Redis",
    ),
    (
        {"mode": "disabled", "mode_changed_by": "ada", "mode_reason": "a cost review"},
        "degraded",
        "Embedding is switched off by ada: a cost review; new texts",
    ),
    (
        {
            "mode": "synchronous",
            "mode_changed_by": "ada",
            "paused": True,
            "changed_by": "bob",
            "reason": "calm",
        },
        "degraded",
        "The mode was changed to synchronous by ada. The queue is paused by bob: calm.",
    ),
    (SELF_PAUSED, "degraded", "The queue has paused itself: no money."),
    (LATE | SELF_PAUSED, "degraded", "The queue has paused itself: no money."),
    (STUCK | SELF_PAUSED, "down", "The queue has paused itself, and work has waited for 30 min."),
    ({"providers": (ProviderStatus("openai"),)}, "ok", ""),
    (
        {"providers": (OUT,)},
        "degraded",
        "The provider openai has not responded for 5 min (api.example answered 503: it is not ready); "
        "next attempt in 12 s.",
    ),
    (STUCK | {"providers": (OUT,)}, "degraded", "has not responded"),
    (
        {"providers": (ProviderStatus("openai", blocked_for=40.0),)},
        "degraded",
        "rate limit; next request in 40 s",
    ),
    (
        STUCK | {"last_claim_age": 1800.0, "providers": (ProviderStatus("openai", blocked_for=40.0),)},
        "degraded",
        "rate limit",
    ),
    (
        {"providers": (ProviderStatus("openai", is_spent=True),)},
        "degraded",
        "token budget for openai is spent",
    ),
    (SPENT, "degraded", "is spent; the backfill waits until midnight UTC. The oldest task"),
    (SPENT | {"oldest_fresh_age": 5.0}, "degraded", "token budget for openai is spent"),
    (SPENT | {"oldest_fresh_age": 1200.0}, "down", "claim nothing; the oldest task has waited for 20 min"),
    (
        {"broker_trouble": "does not answer"},
        "degraded",
        "The broker does not answer; the sweep finds new work",
    ),
    (STUCK | {"mode": "synchronous", "workers_alive": 0}, "degraded", "The mode was changed"),
]


@pytest.mark.parametrize(("changes", "says"), UNWRITTEN)
def test_workers_that_cannot_write_their_status_are_not_said_to_be_gone(
    changes: dict[str, Any], says: str
) -> None:
    now = replace(WELL, **changes)
    reasons = " ".join(judge(now).reasons)
    assert says in reasons
    assert "No worker is alive" not in reasons
    assert "past the lease" not in reasons
    assert workers(now)[0] == "unknown"


@pytest.mark.parametrize(
    "changes", [{"workers_silent": 0}, {"last_completed_age": 40.0}, {"last_completed_age": None}]
)
def test_workers_that_neither_work_nor_write_are_gone(changes: dict[str, Any]) -> None:
    now = replace(WELL, **LATE | AT_WORK | changes)
    assert judge(now).sentence.startswith("No worker is alive")
    assert workers(now) == ("stopped", "no worker is alive")


@pytest.mark.parametrize(("changes", "condition", "says"), CASES)
def test_a_snapshot_is_judged(changes: dict[str, Any], condition: str, says: str) -> None:
    judged = judge(replace(WELL, **changes))
    assert judged.condition == condition, judged.reasons
    assert says in " ".join(judged.reasons)
    assert (judged.condition is Condition.OK) == (judged.reasons == ())
    assert all(reason.endswith(".") for reason in judged.reasons)


@pytest.mark.django_db
@pytest.mark.parametrize(("priority", "condition"), [("low", "degraded"), ("normal", "down")])
def test_a_spent_budget_says_why_the_backfill_waits_but_no_more(
    space: Space, worker: Worker, settings: Settings, priority: str, condition: str
) -> None:
    settings.EMBEDDING_DAILY_TOKEN_BUDGET = 1_000
    today = TruncDate(Now(), tzinfo=UTC)
    ProviderState.objects.create(name="openai", day=today, tokens_today=5_000)
    long_ago = Now() - timedelta(minutes=20)
    make_tasks(1, space, priority=priority, scheduled_at=long_ago)
    Worker.objects.update(last_seen_at=Now(), last_claim_at=long_ago)
    judged = judge(snapshot.take())
    assert judged.condition == condition
    assert any(reason.startswith("Today's token budget for openai is spent") for reason in judged.reasons)


OUT = ProviderStatus("openai", breaker="open", out_for=90.0, retry_in=5.0)


@pytest.mark.parametrize(
    ("changes", "condition", "noted"),
    [
        ({"providers": (OUT,)}, "degraded", ""),
        ({"providers": (replace(OUT, is_beside=True),)}, "ok", "The provider openai has not responded"),
        ({"failed_5m": 9, "completed_5m": 9}, "degraded", ""),
        ({"failed_5m": 9, "failed_beside_5m": 9}, "ok", "9 tasks of spaces that do not serve"),
        (
            {"failed_5m": 9, "failed_beside_5m": 3, "completed_5m": 90, "completed_beside_5m": 80},
            "degraded",
            "3 tasks",
        ),
    ],
)
def test_what_does_not_serve_is_reported_and_does_not_degrade(
    changes: dict[str, Any], condition: str, noted: str
) -> None:
    judged = judge(replace(WELL, **changes))
    assert judged.condition == condition
    assert noted in " ".join(judged.notes)
    assert bool(judged.notes) == bool(noted)


@pytest.mark.django_db
def test_late_tasks_of_a_space_that_is_built_do_not_degrade(space: Space, worker: Worker) -> None:
    building = Space.objects.create(version=1, provider="local", model="b", dimensions=4, chunk_tokens=9)
    make_tasks(1, building, scheduled_at=Now() - timedelta(hours=1))
    taken = snapshot.take()
    assert (taken.due, taken.oldest_due_age, taken.oldest_fresh_age) == (1, None, None)


def test_reasons_for_down_come_before_those_for_degraded() -> None:
    judged = judge(replace(WELL, **LATE, workers_alive=0, expired_leases=1))
    assert judged.sentence.startswith("No worker is alive, and work has waited")
    assert len(judged.reasons) > 1


def test_all_well_has_a_sentence_too() -> None:
    assert judge(WELL).sentence == "All saved articles are searchable or queued."


@pytest.mark.parametrize(
    ("tasks", "articles", "embedded", "said"),
    [
        ({"failed": 3}, 10, 8, "except 2 whose tasks failed or were cancelled."),
        ({"cancelled": 1, "pending": 4}, 10, 5, "except 1 whose tasks failed or were cancelled."),
        ({"failed": 3, "pending": 2}, 10, 8, "are searchable or queued."),
        ({"failed": 3}, 10, 10, "are searchable or queued."),  # an earlier text of theirs
    ],
)
def test_articles_whose_tasks_ended_badly_are_counted(
    tasks: dict[str, int], articles: int, embedded: int, said: str
) -> None:
    open_failures = tasks.get("failed", 0)
    health = judge(
        replace(WELL, tasks=tasks, articles=articles, embedded=embedded, failed_open=open_failures)
    )
    assert health.condition is Condition.OK
    assert said in health.sentence


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "120 min"),
        (7_200, "2 h"),
        (172_800, "2 days"),
    ],
)
def test_an_age_has_a_readable_unit(seconds: float, words: str) -> None:
    assert age(seconds) == words


BEGUN: Any = {
    "begun_articles": 3,
    "kept_chunks": 812,
    "begun_chunks": 2_406,
    "chunks_per_second": 11.23,
    "chunks_done_at": datetime(2026, 5, 1, 14, 32, tzinfo=UTC),
}
HOW_FAR = "3 long articles in progress: 812 of 2,406 chunks embedded, 11.2 per second, done by 2026-05-01 14:32 UTC."


def test_how_far_long_articles_are_is_said_while_all_is_well() -> None:
    judged = judge(replace(WELL, **BEGUN))
    assert judged.condition is Condition.OK
    assert judged.sentence == f"All saved articles are searchable or queued. {HOW_FAR}"


def test_how_far_long_articles_are_says_why_the_oldest_task_is_late() -> None:
    judged = judge(replace(WELL, **LATE, **BEGUN))
    assert judged.reasons == ("The oldest task has been due for 2 min.", HOW_FAR)


@pytest.mark.parametrize("fields", [{}, {"paused": True}, {"mode": "synchronous"}])
def test_long_articles_of_which_none_progresses_degrade_unless_an_operator_stopped_them(
    fields: dict[str, Any],
) -> None:
    stalled = BEGUN | {"chunks_done_at": None, "last_chunk_age": 300.0}
    judged = judge(replace(WELL, **stalled | fields))
    said = "3 long articles in progress: 812 of 2,406 chunks embedded, none for 5 min."
    assert judged.condition is Condition.DEGRADED
    assert (said in judged.reasons) is not bool(fields)
    assert judge(replace(WELL, **stalled | {"last_chunk_age": 100.0})).condition is Condition.OK


def test_long_articles_that_no_worker_continues_are_down() -> None:
    stalled = BEGUN | {"chunks_done_at": None, "last_chunk_age": 300.0, "due": 3, "workers_alive": 0}
    judged = judge(replace(WELL, **stalled))
    assert judged.condition is Condition.DOWN
    assert judged.sentence == "No worker is alive, and work has waited for 5 min."


def test_long_articles_that_stand_still_are_said_to() -> None:
    judged = judge(replace(WELL, **BEGUN | {"begun_articles": 1, "chunks_done_at": None}))
    assert judged.progress == (
        "1 long article in progress: 812 of 2,406 chunks embedded, none in the last minute."
    )
