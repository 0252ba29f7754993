"""The snapshot's figures, and that each is read through an index."""

import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now, TruncDate
from pytest_django import DjangoAssertNumQueries, Settings

from articles.models import Article
from embeddings.models import ArticleEmbedding, KeptVector, Space
from queueops.models import Metric, ProviderState, QueueState, Status, Task, Worker
from queueops.monitoring import snapshot, snapshot_statement
from tests.concurrently import another_session
from tests.queueops.factories import make_article, make_space, make_tasks, make_worker
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def space() -> Space:
    return make_space()


def make_current(article: Article, space: Space) -> ArticleEmbedding:
    """As the settle leaves it."""
    article.refresh_from_db()
    return ArticleEmbedding.objects.create(
        article=article,
        space=space,
        chunk_index=0,
        chunk_count=1,
        span=(0, 4),
        text_hash=b"x" * 16,
        source_version=1,
        source_hash=article.content_hash,
        embedding=[1.0] * 8,
    )


def test_tasks_are_counted_by_status(space: Space) -> None:
    for count, status in enumerate(Status.values, start=1):
        make_tasks(count, space, status)
    assert snapshot.take().tasks == {
        "pending": 1,
        "processing": 2,
        "completed": 3,
        "failed": 4,
        "cancelled": 5,
    }


def test_due_are_pending_tasks_whose_time_has_come_and_the_oldest_gives_the_age(space: Space) -> None:
    make_tasks(1, space, scheduled_at=Now() - timedelta(minutes=10), priority="low")
    make_tasks(1, space, scheduled_at=Now() - timedelta(minutes=2))
    make_tasks(1, space, scheduled_at=Now() + timedelta(minutes=2), priority="high")
    now = snapshot.take()
    assert now.due == 2
    assert now.oldest_due_age is not None
    assert 600 <= now.oldest_due_age < 660


def test_long_articles_between_two_turns_are_not_late(space: Space) -> None:
    make_tasks(1, space, scheduled_at=Now() - timedelta(minutes=10), error_class="postponed")
    assert (snapshot.take().due, snapshot.take().oldest_due_age) == (1, None)


def test_nothing_due_has_no_age(space: Space) -> None:
    assert snapshot.take().oldest_due_age is None


def test_a_retired_spaces_tasks_are_nobodys_delay(space: Space) -> None:
    make_tasks(1, space, scheduled_at=Now() - timedelta(minutes=10))
    type(space).objects.update(state="retired")
    assert snapshot.take().oldest_due_age is None


def test_leases_that_ran_out_are_counted(space: Space) -> None:
    held: Any = {"status": Status.PROCESSING, "claim_token": uuid.uuid4()}
    make_tasks(1, space, **held, lease_expires_at=Now() - timedelta(seconds=1))
    make_tasks(1, space, **held, lease_expires_at=Now() + timedelta(minutes=1), priority="high")
    assert snapshot.take().expired_leases == 1


def test_lost_workers_are_counted_once_however_they_are_known(space: Space) -> None:
    assert snapshot.take().workers_lost_10m == 0
    for number in range(4):
        Metric.objects.create(name="worker_ended", value=1, labels={"how": "SIGKILL"})
        for _ in range(2):  # a worker's claims may come back in several sweeps
            Metric.objects.create(name="worker_lost", value=9, labels={"claimed_by": f"worker {number}"})
    Metric.objects.create(name="worker_lost", value=9, labels={"claimed_by": "worker 9"})
    Metric.objects.create(name="worker_ended", value=1, timestamp=Now() - timedelta(minutes=11))
    make_tasks(3, space, error_class="worker_lost", losses=1)
    make_tasks(1, space, priority="high", error_class="transient", losses=1)
    now = snapshot.take()
    assert (now.workers_lost_10m, now.lost_waiting) == (5, 3)


def test_a_silent_worker_whose_tasks_are_not_returned_counts_as_lost(space: Space) -> None:
    alive, silent = Worker.objects.create(name="a:1"), Worker.objects.create(name="a:2")
    Worker.objects.filter(pk=silent.pk).update(last_seen_at=Now() - timedelta(minutes=1))
    holders = [alive.pk, silent.pk, silent.pk + 1] * 2  # the last one's row is gone
    held = make_tasks(6, space, Status.PROCESSING, lease_expires_at=Now() - timedelta(seconds=1))
    for task, holder in zip(held, holders, strict=True):
        Task.objects.filter(pk=task.pk).update(claimed_by=f"worker {holder}")
    Metric.objects.create(name="worker_lost", value=2, labels={"claimed_by": f"worker {silent.pk}"})
    assert snapshot.take().workers_lost_10m == 2


def test_recently_ended_tasks_are_counted_by_time_and_outcome(space: Space) -> None:
    tasks = make_tasks(5, space, Status.COMPLETED)
    for task, minutes, status in zip(
        tasks, [1, 2, 30, 40, 90], ["completed", "failed", "completed", "failed", "completed"], strict=True
    ):
        ended = Now() - timedelta(minutes=minutes)
        Task.objects.filter(pk=task.pk).update(status=status, completed_at=ended)
    now = snapshot.take()
    assert (now.completed_5m, now.failed_5m, now.completed_1h, now.failed_1h) == (1, 1, 2, 2)


def test_counting_stops_at_the_limit(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "COUNT_LIMIT", 3)
    make_tasks(5, space)
    assert snapshot.take().tasks["pending"] == 3


def test_workers_are_alive_stopped_or_silent() -> None:
    make_worker(last_claim_at=Now() - timedelta(seconds=5))
    make_worker(last_seen_at=Now() - timedelta(hours=1))
    make_worker(is_running=False, last_seen_at=Now() - timedelta(hours=1))
    now = snapshot.take()
    assert (now.workers_alive, now.workers_stopped) == (1, 1)
    assert now.last_claim_age is not None
    assert 5 <= now.last_claim_age < 30


def test_a_row_written_by_plain_sql_is_not_a_worker() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO embedding_worker_status (id, is_running) VALUES (4711, true)")
    assert (snapshot.take().workers_alive, snapshot.take().workers_silent) == (0, 0)
    assert Worker.objects.get().last_claim_at is None


def test_the_mode_in_force_is_the_persisted_one_or_else_the_settings(settings: Settings) -> None:
    assert snapshot.take().mode == "queued"
    settings.EMBEDDING_QUEUE_ENABLED = False
    assert snapshot.take().mode == "synchronous"
    settings.SEMANTIC_SEARCH_ENABLED = False
    assert snapshot.take().mode == "disabled"
    QueueState.objects.update(mode="queued", is_paused=True, reason="maintenance", changed_by="ada")
    now = snapshot.take()
    assert (now.mode, now.mode_in_settings) == ("queued", "disabled")
    assert (now.paused, now.reason, now.changed_by) == (True, "maintenance", "ada")


def test_coverage_is_the_share_of_articles_whose_present_text_is_embedded(space: Space) -> None:
    first, second, third = (task.article for task in make_tasks(3, space))
    make_current(first, space)
    make_current(second, space)
    type(second).objects.filter(pk=second.pk).update(content="A newer text.")
    now = snapshot.take()
    assert (now.articles, now.embedded) == (3, 1)
    assert now.coverage == pytest.approx(1 / 3)
    assert now.space == "openai/fake-embed v100"
    assert third.pk


def test_without_a_space_nothing_is_covered(space: Space) -> None:
    type(space).objects.all().delete()
    now = snapshot.take()
    assert (now.space, now.articles) == (None, 0)


def test_the_snapshot_goes_into_json_with_its_limit_and_share(space: Space) -> None:
    found = snapshot.take().as_dict()
    assert found["count_limit"] == snapshot.COUNT_LIMIT
    assert found["coverage"] == 1.0
    assert found["tasks"]["pending"] == 0


def test_a_self_pause_is_distinguished_from_an_operators() -> None:
    QueueState.objects.update(is_paused=True, changed_by="vectorpress", reason="the provider refuses us")
    assert snapshot.take().paused_itself
    QueueState.objects.update(changed_by="ada")
    assert not snapshot.take().paused_itself


def test_each_provider_in_use_is_shown_as_it_stands(space: Space, settings: Settings) -> None:
    settings.EMBEDDING_DAILY_TOKEN_BUDGET = 100
    (well,) = snapshot.take().providers
    assert (well.name, well.breaker, well.is_out, well.blocked_for) == ("openai", "closed", False, None)
    ProviderState.objects.create(
        name="openai",
        breaker="open",
        opened_at=Now() - timedelta(minutes=5),
        retry_at=Now() + timedelta(seconds=30),
        blocked_until=Now() + timedelta(seconds=60),
        last_error="api.example answered 503",
        day=TruncDate(Now()),
        tokens_today=100,
    )
    (out,) = snapshot.take().providers
    assert (out.is_out, out.is_spent, out.last_error) == (True, True, "api.example answered 503")
    assert out.out_for == pytest.approx(300, abs=5)
    assert out.retry_in == pytest.approx(30, abs=5)
    assert out.blocked_for == pytest.approx(60, abs=5)


def test_a_broker_that_is_away_is_reported_and_fails_nothing(space: Space, settings: Settings) -> None:
    assert snapshot.take().broker_trouble == ""
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    assert snapshot.take().broker_trouble == "does not answer"


def test_a_snapshot_takes_a_handful_of_statements(
    space: Space, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(8):
        snapshot.take()


def test_no_count_reads_the_whole_table(space: Space) -> None:
    """With sequential scans out of the way every part must find an index; one that cannot would still scan."""
    make_tasks(50, space)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN (COSTS OFF) " + snapshot_statement.SNAPSHOT, {"limit": 10})
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Seq Scan on embedding_tasks" not in plan, plan


def test_above_the_count_limit_the_newest_analyze_estimates(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tasks(40, space)
    make_tasks(10, space, Status.FAILED)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE embedding_tasks")
    monkeypatch.setattr(snapshot, "COUNT_LIMIT", 20)
    now = snapshot.take()
    assert now.tasks["pending"] == 20
    assert (now.estimated["pending"], now.estimated["failed"]) == (40, 10)


def test_the_rate_is_of_what_ended_lately_and_gives_the_time_that_is_left(space: Space) -> None:
    assert (snapshot.take().per_second, snapshot.take().eta) == (0.0, None)
    make_tasks(30, space)
    make_tasks(60, space, Status.COMPLETED, completed_at=Now() - timedelta(minutes=1))
    now = snapshot.take()
    assert now.per_second == pytest.approx(1.0, rel=0.1)
    assert now.eta == pytest.approx(30, rel=0.1)


def test_partly_embedded_articles_are_shown_with_chunks_and_rate(space: Space) -> None:
    for article, chunks in ((make_article(), 100), (make_article(), 50)):
        KeptVector.objects.bulk_create(
            KeptVector(
                article=article,
                space=space,
                text_hash=bytes([n]) * 16,
                embedding=bytes(36),
                chunks_to_embed=chunks,
                kept_at=Now() - timedelta(seconds=20),
            )
            for n in range(10)
        )
    now = snapshot.take()
    assert (now.begun_articles, now.kept_chunks, now.begun_chunks) == (2, 20, 150)
    assert now.chunks_per_second == pytest.approx(1.0, rel=0.2)
    assert now.chunks_done_at is not None
    left = (now.chunks_done_at - datetime.now(UTC)).total_seconds()
    assert left == pytest.approx(130, abs=30)


@pytest.mark.django_db(transaction=True)
def test_a_worker_seen_while_the_statement_was_planned_is_alive() -> None:
    """A locked table holds the statement up between its arrival and what it sees."""
    worker = make_worker()
    found: list[int] = []

    def look() -> None:
        try:
            found.append(snapshot.take().workers_alive)
        finally:
            connection.close()

    thread = threading.Thread(target=look)
    with another_session() as session:
        session.execute("LOCK TABLE embedding_worker_status IN ACCESS EXCLUSIVE MODE")
        thread.start()
        wait_until(is_held_up, what="the snapshot to wait for the table")
        session.execute(
            "UPDATE embedding_worker_status SET last_seen_at = clock_timestamp() WHERE id = %s", [worker.pk]
        )
        session.commit()
    thread.join()
    assert found == [1]


def is_held_up() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'embedding_worker_status'::regclass)"
        )
        return bool(cursor.fetchone()[0])
