"""The reference's UPDATEs, INSERTs and DELETEs, word for word, have the effect that their documents promise, also
while a worker is at work: operators' SQL is a legitimate act."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django import Settings

from articles.models import Article
from embeddings.models import ArticleEmbedding, Space
from queueops.engine import claims, execution
from queueops.maintenance import drift
from queueops.models import AuditLog, Metric, Status, Task, Worker, worker_registry
from queueops.monitoring import health, snapshot
from queueops.operate import controls
from queueops.worker.drain import Drained, drain
from tests import reference
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_tasks
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db
beside_a_worker = pytest.mark.django_db(transaction=True)


@pytest.fixture
def claim(space: Space, worker: Worker) -> Callable[..., claims.Claim]:
    return lambda size=10: claims.claim_due(space, size, worker.pk, worker.name)


def statuses() -> dict[str, str]:
    """Each task's status, by its article's slug."""
    return dict(Task.objects.values_list("slug", "status"))


@contextmanager
def at_work(worker: Worker) -> Iterator[list[Drained]]:
    """A worker that drains in a thread, with a connection of its own; ended when the block is left."""
    ended: list[Drained] = []

    def run() -> None:
        try:
            ended.append(drain(worker.pk, seconds=30))
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ended
    finally:
        thread.join()


def wait_for_work() -> None:
    wait_until(Task.objects.processing().exists, what="the worker to take something")


# --- stuck tasks


def test_stuck_tasks_wait_again_and_are_embedded(space: Space, worker: Worker) -> None:
    [stuck] = make_tasks(1, space, Status.PROCESSING, processed_at=Now() - timedelta(minutes=31))
    [fresh] = make_tasks(1, space, Status.PROCESSING, processed_at=Now(), priority="low")
    reference.run("deployment/reset_stuck_tasks")
    stuck.refresh_from_db()
    assert (stuck.status, stuck.processed_at, stuck.claim_token) == ("pending", None, None)
    assert statuses()[fresh.slug] == "processing"
    drain(worker.pk, seconds=10)
    assert statuses()[stuck.slug] == "completed"


def test_a_stuck_task_whose_attempts_are_spent_gets_them_back(space: Space) -> None:
    make_tasks(1, space, Status.PROCESSING, processed_at=Now() - timedelta(hours=1), attempts=3)
    Task.objects.update(attempts=3)
    reference.run("deployment/reset_stuck_tasks")
    assert Task.objects.get().attempts == 0


def test_a_stuck_task_whose_article_has_a_newer_one_that_waits_gives_way_to_it(space: Space) -> None:
    article = make_article()
    claimed = Task.objects.get()
    Task.objects.update(
        status="processing",
        processed_at=Now() - timedelta(hours=1),
        lease_expires_at=Now() - timedelta(minutes=30),
        attempts=1,
    )
    article.content = "Newer."
    article.save()
    reference.run("deployment/reset_stuck_tasks")
    claimed.refresh_from_db()
    assert (claimed.status, claimed.outcome) == ("completed", "superseded")
    assert Task.objects.pending().count() == 1


def test_of_two_stuck_tasks_of_an_article_one_waits_again(space: Space) -> None:
    make_tasks(1, space, Status.PROCESSING, processed_at=Now() - timedelta(hours=1))
    twin = Task.objects.get()
    twin.pk = None
    twin.save(force_insert=True)
    reference.run("deployment/reset_stuck_tasks")
    assert sorted(Task.objects.values_list("status", flat=True)) == ["completed", "pending"]


# --- cancelling


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("deployment/cancel_what_waits", "Cancelled by administrator"),
        ("rollback/cancel_what_a_provider_left", "Provider rollback - task cancelled"),
        ("rollback/cancel_low_priority", "Resource conservation - low priority task cancelled"),
    ],
)
def test_pending_tasks_are_cancelled_and_stay_so(
    space: Space, worker: Worker, name: str, message: str
) -> None:
    make_tasks(3, space, priority="low")
    make_tasks(1, space, Status.COMPLETED)
    reference.run(name)
    assert drain(worker.pk, seconds=10).tasks == 0
    assert drift.enqueue_drift() == 1  # the completed one, which has no vectors
    failed = Task.objects.failed()
    assert {task.error_message for task in failed} == {message}
    assert failed.count() == 3
    assert not failed.filter(completed_at=None).exists()


def test_only_what_is_of_the_last_hour_is_cancelled_after_a_change_of_provider(space: Space) -> None:
    [old] = make_tasks(1, space)
    Task.objects.update(created_at=Now() - timedelta(hours=2))
    make_tasks(1, space, priority="high")
    reference.run("rollback/cancel_what_a_provider_left")
    assert statuses()[old.slug] == "pending"
    assert Task.objects.failed().count() == 1


def test_only_low_priority_is_cancelled_to_save_resources(space: Space) -> None:
    make_tasks(1, space, priority="low")
    [fresh] = make_tasks(1, space, priority="high")
    reference.run("rollback/cancel_low_priority")
    assert statuses()[fresh.slug] == "pending"
    assert Task.objects.failed().count() == 1


# --- the brakes


def test_tasks_in_progress_fail_for_good_in_an_emergency(
    claim: Callable[..., claims.Claim], space: Space
) -> None:
    make_tasks(2, space)
    held = claim()
    reference.run("rollback/fail_what_is_in_work")
    assert execution.execute(held).lost == 2
    assert set(Task.objects.values_list("status", "error_message")) == {
        ("failed", "Emergency stop initiated")
    }
    assert not ArticleEmbedding.objects.exists()


@beside_a_worker
def test_a_worker_at_work_does_not_overwrite_an_emergency(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    make_tasks(3, space)
    provider.config(latency_ms=500)
    with at_work(worker):
        wait_for_work()
        reference.run("rollback/fail_what_is_in_work")
    assert set(Task.objects.values_list("status", "error_message")) == {
        ("failed", "Emergency stop initiated")
    }
    assert not ArticleEmbedding.objects.exists()


@beside_a_worker
@pytest.mark.parametrize("name", ["deployment/stop_workers", "rollback/stop_workers"])
def test_a_worker_at_work_ends_what_it_holds_and_claims_nothing_more(
    space: Space, worker: Worker, provider: FakeProvider, settings: Settings, name: str
) -> None:
    settings.EMBEDDING_BATCH_SIZE = 2
    make_tasks(6, space)
    provider.config(latency_ms=300)
    with at_work(worker):
        wait_for_work()
        reference.run(name)
    left = Task.objects.pending().count()
    assert 0 < left <= 4
    assert not Task.objects.processing().exists()
    assert drain(worker.pk, seconds=10).tasks == 0
    assert not worker_registry.register().is_running  # a restart does not let go of the brake


@beside_a_worker
def test_a_restored_worker_row_stops_workers_that_run(
    space: Space, worker: Worker, provider: FakeProvider, settings: Settings
) -> None:
    settings.EMBEDDING_BATCH_SIZE = 2
    make_tasks(6, space)
    provider.config(latency_ms=300)
    with at_work(worker):
        wait_for_work()
        reference.run("rollback/restore_worker_status")
        reference.run("rollback/restore_worker_status")
    left = Task.objects.pending().count()
    assert left
    assert drain(worker.pk, seconds=10).tasks == 0
    assert not worker_registry.register().is_running  # and those that start
    assert Task.objects.pending().count() == left


def test_a_restored_worker_row_is_named_and_a_start_releases_it(
    claim: Callable[..., claims.Claim], space: Space, worker: Worker
) -> None:
    make_tasks(1, space)
    reference.run("rollback/restore_worker_status")
    word, note = health.workers(snapshot.take())
    assert word == "stopped"
    assert "row 1 of embedding_worker_status has is_running = false" in note
    assert "To start: python manage.py queue_admin start" in note
    assert health.judge(snapshot.take()).reasons[0].startswith("No worker claims tasks: row 1")
    controls.start(actor="ada")
    assert health.workers(snapshot.take()) == ("running", "1 alive")
    assert list(Worker.objects.values_list("pk", flat=True)) == [worker.pk]
    assert len(claim().tasks) == 1


# --- removal


@beside_a_worker
def test_tasks_deleted_under_a_worker_leave_no_vectors_behind(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    make_tasks(2, space)
    provider.config(latency_ms=500)
    with at_work(worker):
        wait_for_work()
        reference.run("deployment/delete_tasks")
    assert not Task.objects.exists()
    assert not ArticleEmbedding.objects.exists()


def test_articles_whose_tasks_were_deleted_are_queued_again_by_the_sweep(space: Space) -> None:
    """Whoever wants them to stay away stops the queue first, as the document says."""
    make_tasks(2, space)
    reference.run("deployment/delete_tasks")
    assert drift.enqueue_drift() == 2


def test_the_audit_log_and_the_metrics_can_be_deleted(space: Space) -> None:
    AuditLog.objects.create(category="engine", message="something")
    Metric.objects.create(name="depth", value=1)
    reference.run("deployment/delete_audit")
    reference.run("deployment/delete_metrics")
    assert not AuditLog.objects.exists()
    assert not Metric.objects.exists()


# --- articles


def test_articles_in_work_are_marked_for_review_and_keep_their_metadata(
    claim: Callable[..., claims.Claim], space: Space
) -> None:
    make_tasks(1, space)
    [other] = make_tasks(1, space, Status.COMPLETED)
    Article.objects.update(metadata={"topic": "ants"})
    held = claim()
    reference.run("rollback/mark_for_review")
    marked = Article.objects.get(metadata__needs_review=True)
    assert marked.pk != other.article_id
    assert marked.metadata == {"topic": "ants", "needs_review": True}
    assert execution.execute(held).outcomes == {"embedded": 1}  # its text is as it was


# --- tuning


def test_statistics_are_renewed_and_an_index_is_added_once(space: Space) -> None:
    reference.run("deployment/analyze")
    reference.run("deployment/add_an_index")
    reference.run("deployment/add_an_index")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_indexes WHERE indexname = 'idx_embedding_tasks_custom'")
        assert cursor.fetchone() == (1,)
