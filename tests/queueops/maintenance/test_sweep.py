"""The sweep recovers lost tasks, and none that were ended on purpose."""

from datetime import timedelta
from typing import Any

import dramatiq
import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from dramatiq.brokers.redis import RedisBroker
from pytest_django import Settings

from articles.models import Article
from embeddings.models import Space
from embeddings.storage import ann_index
from queueops.engine import claims, execution
from queueops.maintenance import reaper, sweep
from queueops.models import AuditLog, QueueState, Status, Task, Worker
from tests.queueops.factories import make_article, make_tasks, make_worker, plan_of

pytestmark = pytest.mark.django_db


def expire(**fields: Any) -> None:
    Task.objects.update(status=Status.PROCESSING, lease_expires_at=Now() - timedelta(seconds=1), **fields)


def embed_all(space: Space, worker: Worker) -> None:
    while (claim := claims.claim_due(space, 100, worker.pk, worker.name)).tasks:
        execution.execute(claim)


def test_a_task_whose_lease_ended_is_pending_again_and_says_why(space: Space) -> None:
    make_tasks(1, space)
    expire(attempts=1, claimed_by="worker 7")
    swept = sweep.sweep()
    task = Task.objects.get()
    assert (swept.returned, swept.parked, swept.is_due) == (1, 0, True)
    assert (task.status, task.attempts, task.losses, task.error_class, task.claim_token) == (
        "pending",
        0,
        1,
        "worker_lost",
        None,
    )
    assert AuditLog.objects.get().message == "lease of worker 7 ended; the task is pending now"


def test_a_task_that_lost_its_worker_too_often_is_parked(space: Space) -> None:
    make_tasks(1, space)
    expire(attempts=3, max_attempts=3, is_alone=True)
    assert sweep.sweep().parked == 1
    task = Task.objects.get()
    assert (task.status, task.outcome, task.error_class) == ("failed", "failed", "worker_lost")


def test_a_lease_that_has_not_ended_is_left_alone(space: Space) -> None:
    make_tasks(1, space, Status.PROCESSING)
    assert sweep.sweep().returned == 0
    assert Task.objects.get().status == "processing"


def test_an_expired_task_whose_article_has_a_newer_one_ends_as_superseded(space: Space) -> None:
    article = make_article()
    expire()
    article.content = "Newer."
    article.save()
    sweep.sweep()
    assert sorted(Task.objects.values_list("status", "outcome")) == [
        ("completed", "superseded"),
        ("pending", ""),
    ]


def test_an_edit_by_plain_sql_is_found_and_embedded(space: Space, worker: Worker) -> None:
    article = make_article()
    embed_all(space, worker)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE articles SET content = 'Written by hand.'")
    assert sweep.sweep().drifted == 1
    task = Task.objects.pending().get()
    assert (task.reason, task.priority) == ("drift", "low")
    embed_all(space, worker)
    article.refresh_from_db()
    assert article.embeddings.get().source_hash == article.content_hash
    assert sweep.sweep().drifted == 0


def test_articles_without_vectors_or_tasks_are_found(space: Space) -> None:
    Article.objects.bulk_create(
        [Article(slug=f"raw-{n}", title="Raw", content="Raw text.") for n in range(3)]
    )
    assert sweep.sweep().drifted == 3
    assert sweep.sweep().drifted == 0


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_what_was_ended_on_purpose_is_not_begun_again_until_its_text_changes(
    space: Space, status: str
) -> None:
    article = make_article()
    Task.objects.update(status=status)
    assert sweep.sweep().drifted == 0
    Article.objects.filter(pk=article.pk).update(content="Changed by hand.")
    assert sweep.sweep().drifted == 1


def test_an_article_without_text_is_not_found_again_and_again(space: Space, worker: Worker) -> None:
    make_article("Empty", "\u00a0\u3000 ")
    embed_all(space, worker)
    assert sweep.sweep().drifted == 0


def test_nothing_is_enqueued_while_embedding_is_disabled(space: Space, settings: Settings) -> None:
    settings.SEMANTIC_SEARCH_ENABLED = False
    Article.objects.bulk_create([Article(slug="raw", title="Raw", content="Raw text.")])
    assert sweep.sweep().drifted == 0


def test_one_process_sweeps_in_an_interval_and_the_others_do_not(space: Space) -> None:
    QueueState.objects.all().delete()
    assert sweep.sweep_if_leader(timedelta(minutes=1)) is not None
    assert sweep.sweep_if_leader(timedelta(minutes=1)) is None
    assert sweep.sweep_if_leader(timedelta(0)) is not None


def test_silent_workers_are_forgotten_but_a_stopped_one_keeps_the_brake(space: Space) -> None:
    long_ago = Now() - timedelta(hours=1)
    make_worker(name="silent", last_seen_at=long_ago)
    make_worker(name="stopped", last_seen_at=long_ago, is_running=False)
    make_worker(name="alive")
    sweep.sweep()
    assert set(Worker.objects.values_list("name", flat=True)) == {"stopped", "alive"}


def test_expired_leases_are_found_through_their_index(space: Space) -> None:
    make_tasks(2000, space, status="completed")
    make_tasks(50, space, Status.PROCESSING)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE embedding_tasks")
    plan = plan_of(reaper._RETURN_EXPIRED, {"most": 100, "silent": 11, "began": timezone.now()})
    assert "embedding_tasks_held" in plan, plan


@pytest.mark.parametrize(("is_due", "rings"), [(False, "build_indexes"), (True, "embed_due")])
def test_a_space_that_has_grown_gets_its_index_once_nothing_is_due(
    space: Space, worker: Worker, monkeypatch: pytest.MonkeyPatch, is_due: bool, rings: str
) -> None:
    monkeypatch.setattr(ann_index, "WANTED_FROM_ROWS", 3)
    make_tasks(3, space)
    embed_all(space, worker)
    if is_due:
        make_article()
    broker = dramatiq.get_broker()
    assert isinstance(broker, RedisBroker)
    broker.client.flushdb()
    sweep.sweep()
    (raw,) = broker.client.hgetall("vectorpress:vectorpress.embed.msgs").values()
    assert isinstance(raw, bytes)
    assert dramatiq.Message.decode(raw).actor_name == rings
    broker.client.flushdb()


def test_a_stopping_worker_gives_back_what_it_holds_without_charging_an_attempt(
    space: Space, worker: Worker
) -> None:
    make_tasks(2, space)
    held = claims.claim_due(space, 2, worker.pk, "worker 7")
    make_article()
    claims.claim_due(space, 1, worker.pk, "worker 8")
    assert reaper.release_held("worker 7") == 2
    assert Task.objects.filter(status="pending", attempts=0).count() == 2
    assert Task.objects.processing().get().claimed_by == "worker 8"
    assert execution.execute(held).lost == 2  # a thread of it that still finishes


def test_a_released_task_whose_article_has_a_newer_one_ends_as_superseded(
    space: Space, worker: Worker
) -> None:
    article = make_article()
    claims.claim_due(space, 1, worker.pk, "worker 7")
    article.content = "Newer."
    article.save()
    reaper.release_held("worker 7")
    assert sorted(Task.objects.values_list("status", "outcome")) == [
        ("completed", "superseded"),
        ("pending", ""),
    ]


def claim_twice(space: Space, worker: Worker) -> list[Task]:
    """One article in work twice: it was edited while its first task was held."""
    article = make_article()
    claims.claim_due(space, 1, worker.pk, "worker 7")
    article.content = "Newer."
    article.save()
    claims.claim_due(space, 1, worker.pk, "worker 7")
    return list(Task.objects.order_by("pk"))


def test_of_an_articles_expired_tasks_one_goes_back(space: Space, worker: Worker) -> None:
    older, newer = claim_twice(space, worker)
    Task.objects.update(lease_expires_at=Now() - timedelta(seconds=1))
    sweep.sweep()
    assert Task.objects.pending().get() == newer
    assert Task.objects.get(outcome="superseded") == older


def test_of_an_articles_expired_tasks_the_one_with_attempts_left_goes_back(
    space: Space, worker: Worker
) -> None:
    older, newer = claim_twice(space, worker)
    Task.objects.update(lease_expires_at=Now() - timedelta(seconds=1))
    Task.objects.filter(pk=newer.pk).update(attempts=3, is_alone=True)
    assert reaper.return_expired() == (2, 0)
    assert Task.objects.pending().get() == older


def test_of_an_articles_tasks_that_a_stopping_worker_holds_one_goes_back(
    space: Space, worker: Worker
) -> None:
    older, newer = claim_twice(space, worker)
    assert reaper.release_held("worker 7") == 2
    assert Task.objects.pending().get() == newer
    assert Task.objects.get(outcome="superseded") == older


def retire(space: Space) -> None:
    type(space).objects.filter(pk=space.pk).update(state="retired")


def test_pending_tasks_of_a_retired_space_end_and_are_audited(space: Space, worker: Worker) -> None:
    make_tasks(3, space)
    claims.claim_due(space, 1, worker.pk, "worker 7")
    retire(space)
    sweep.sweep()
    assert sorted(Task.objects.values_list("status", "outcome")) == [
        ("completed", "superseded"),
        ("completed", "superseded"),
        ("processing", ""),
    ]
    entry = AuditLog.objects.get()
    assert (entry.category, entry.metadata) == ("sweep", {"superseded": 2})
    reaper.release_held("worker 7")
    sweep.sweep()
    assert not Task.objects.live().exists()


def test_should_a_retired_space_come_back_its_articles_are_found_again(space: Space) -> None:
    make_tasks(3, space)
    retire(space)
    sweep.sweep()
    type(space).objects.update(state="serving")
    assert sweep.sweep().drifted == 3


def test_pending_tasks_of_retired_spaces_are_found_through_an_index(space: Space) -> None:
    make_tasks(1000, space)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE embedding_tasks")
    plan = plan_of(reaper._END_RETIRED, [[space.pk + 1], 1000])
    assert "Index Scan using embedding_tasks_waiting" in plan or "embedding_tasks_due" in plan, plan
