"""Every table that a worker's loop writes to may refuse its rows: no text is paid for twice, health says why, and work
resumes by itself."""

from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.db.models.functions import Now
from pytest_django import Settings

from embeddings.indexing import provider_pace
from embeddings.models import ArticleEmbedding, KeptVector, Space
from queueops.engine import execution, partial_vectors, storage_breaker, storage_probe
from queueops.maintenance import sampler
from queueops.models import AuditLog, Metric, ProviderState, Task, Worker
from queueops.monitoring import health, snapshot
from queueops.worker import storage_report
from queueops.worker.drain import drain
from queueops.worker.housekeeper import Housekeeper
from tests.providers import FakeProvider
from tests.queueops.factories import make_article
from tests.queueops.refusing_database import refusing
from tests.table_locks import rows_locked, waiting_at_most
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
FULL = "53100 disk full: No space left on device"
# Without them no batch is settled, so nothing may be claimed either.
NEEDED = {
    "article_embeddings": "INSERT",
    "kept_vectors": "INSERT",
    "embedding_audit_logs": "INSERT",
    "performance_metrics": "INSERT",
}
# Work goes on without them.
BESIDE = {
    "embedding_worker_status": "UPDATE",
    "queue_state": "INSERT OR UPDATE",
    "provider_states": "INSERT OR UPDATE",
}
NAMED = NEEDED | BESIDE
del NAMED["provider_states"]  # written only once a provider fails


@pytest.fixture
def process(space: Space, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Housekeeper:
    """A worker process by hand, of short turns and retries; a long article takes several of its turns."""
    monkeypatch.setattr(partial_vectors, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(partial_vectors, "TURN_SECONDS", 0.2)
    monkeypatch.setattr(execution, "_DEADLINE_SECONDS", 0.5)
    monkeypatch.setattr(execution, "_HELD_SECONDS", 0.1)
    monkeypatch.setattr(storage_breaker, "FIRST_WAIT", 0.05)
    monkeypatch.setattr(storage_report, "report", storage_report.Report())
    monkeypatch.setattr("queueops.worker.housekeeper.report", storage_report.report)
    provider.config(per_text_ms=30, one_by_one=True)
    provider_pace.of(space).speed.tokens_per_second = 500.0
    process = Housekeeper()
    process._once(3_600)
    return process


def work(process: Housekeeper) -> int:
    """What a wake-up and a beat do; how many tasks were claimed."""
    wait_until(lambda: not storage_probe.brake.left)
    assert process.worker_id is not None
    tasks = drain(process.worker_id, seconds=1).tasks
    process._once(0)
    return tasks


def finish(process: Housekeeper) -> None:
    def ended() -> bool:
        Task.objects.pending().update(scheduled_at=Now())
        work(process)
        return not Task.objects.live().exists()

    wait_until(ended, 60, "all tasks to end")


def save_articles() -> None:
    make_article("Long", "\n\n".join(f"Paragraph {n} says something of its own. " * 13 for n in range(12)))
    for number in range(3):
        make_article(f"Short {number}", f"A short text, number {number}.")


@pytest.mark.parametrize(("table", "writes"), (NEEDED | BESIDE).items())
def test_no_text_is_paid_for_twice_and_all_is_embedded_afterwards(
    process: Housekeeper, provider: FakeProvider, table: str, writes: str
) -> None:
    save_articles()
    with refusing("53100", table=table, writes=writes):
        work(process)
        asked = provider.stats()["texts"]
        for _ in range(3):
            work(process)
        if table in NEEDED:
            assert provider.stats()["texts"] == asked
    finish(process)
    assert not Task.objects.exclude(outcome="embedded", attempts=1).exists()
    assert provider.stats()["texts"] == ArticleEmbedding.objects.count()
    assert not storage_probe.brake.is_on
    work(process)
    assert set(Worker.objects.values_list("refusal", flat=True)) == {""}


@pytest.mark.parametrize(("table", "writes"), NAMED.items())
def test_health_names_the_refusal(process: Housekeeper, table: str, writes: str) -> None:
    save_articles()
    with refusing("53100", table=table, writes=writes):
        work(process)
        work(process)
        judged = health.judge(snapshot.take())
        assert judged.condition == "degraded"
        assert FULL in " ".join(judged.reasons)
        assert (table in " ".join(judged.reasons)) is (table not in {"article_embeddings", "queue_state"})


@pytest.mark.parametrize(("table", "writes"), BESIDE.items())
def test_work_goes_on_beside_a_table_that_it_does_not_need(
    process: Housekeeper, table: str, writes: str
) -> None:
    save_articles()
    with refusing("53100", table=table, writes=writes):
        finish(process)
        assert not storage_probe.brake.is_on


def test_a_refused_audit_log_gets_its_rows_once_it_takes_some(process: Housekeeper) -> None:
    save_articles()
    with refusing("53100", table="embedding_audit_logs"):
        work(process)
    finish(process)
    work(process)
    began, ended = AuditLog.objects.filter(message__contains="accept").values_list("message", flat=True)
    assert began.startswith(f"the database does not accept vectors ({FULL}")
    assert ended.startswith("the database accepts vectors again")


def test_a_refused_step_of_the_housekeeper_does_not_skip_the_others(process: Housekeeper) -> None:
    Metric.objects.all().delete()
    article = make_article()
    Task.objects.all().delete()
    with refusing("P0001", table="embedding_worker_status", writes="UPDATE"):
        process._once(0)
    assert Task.objects.get().article_id == article.pk  # the sweep
    assert Metric.objects.filter(name=sampler._TOOK).exists()


def test_a_refused_step_of_the_sweep_does_not_skip_the_others(process: Housekeeper, space: Space) -> None:
    article = make_article()
    Task.objects.all().delete()
    vector = bytes([0, space.dimensions, 0, 0]) + bytes(4 * space.dimensions)
    KeptVector.objects.create(
        article=article, space=space, text_hash=b"x" * 16, embedding=vector, chunks_to_embed=1
    )
    with refusing("P0001", table="kept_vectors", writes="DELETE"):
        process._once(0)
    assert Task.objects.get().article_id == article.pk  # found by drift
    assert (
        health.judge(snapshot.take())
        .reasons[0]
        .startswith("Workers cannot sweep (P0001 refused by a trigger")
    )


def test_health_names_the_rows_of_providers_that_take_no_news_of_one(
    process: Housekeeper, provider: FakeProvider
) -> None:
    provider.config(fail_next=["503"] * 20)
    save_articles()
    with refusing("P0001", table="provider_states", writes="INSERT OR UPDATE"):
        work(process)
        reasons = " ".join(health.judge(snapshot.take()).reasons)
    assert (
        "Workers cannot share the state of a provider (P0001 refused by a trigger: No space left on device, in "
        "provider_states)." in reasons
    )


def test_health_names_the_rows_of_providers_that_take_no_canary(
    process: Housekeeper, provider: FakeProvider
) -> None:
    ProviderState.objects.create(name="openai", breaker="open", failures=3, retry_at=Now())
    save_articles()
    with refusing("P0001", table="provider_states", writes="INSERT OR UPDATE"):
        with pytest.raises(DatabaseError):
            work(process)
        reasons = " ".join(health.judge(snapshot.take()).reasons)
    assert "Workers cannot share the state of a provider (P0001 refused by a trigger" in reasons


def test_health_names_the_rows_of_providers_that_take_no_reservation(
    process: Housekeeper, provider: FakeProvider, settings: Settings
) -> None:
    settings.EMBEDDING_REQUESTS_PER_MINUTE = 6_000
    save_articles()
    with refusing("P0001", table="provider_states", writes="INSERT OR UPDATE"):
        work(process)
        reasons = " ".join(health.judge(snapshot.take()).reasons)
        assert not provider.stats()["texts"]
    assert "Workers cannot reserve a provider's budget (P0001 refused by a trigger" in reasons


def test_workers_that_cannot_write_their_status_are_at_work_and_said_to_be(process: Housekeeper) -> None:
    make_article()
    Worker.objects.update(last_seen_at=Now() - timedelta(seconds=40))
    with refusing("P0001", table="embedding_worker_status", writes="UPDATE"):
        assert work(process) == 1
        judged = health.judge(snapshot.take())
    (reason,) = judged.reasons
    assert reason == (
        "Workers cannot update their rows of embedding_worker_status (P0001 refused by a trigger: No space left on "
        "device, in embedding_worker_status), so they do not count as alive."
    )


def test_locked_rows_of_the_workers_do_not_stop_them(process: Housekeeper) -> None:
    make_article()
    assert process.worker_id is not None
    with rows_locked("embedding_worker_status"):
        assert drain(process.worker_id, seconds=1).tasks == 1
        assert Task.objects.get().outcome == "embedded"
        with waiting_at_most(200):
            process._once(3_600)
        judged = health.judge(snapshot.take())
    assert "Workers cannot update their rows of embedding_worker_status (55P03" in " ".join(judged.reasons)


def test_the_figures_know_silent_workers_and_the_last_completed_task(process: Housekeeper) -> None:
    make_article()
    work(process)
    Worker.objects.update(last_seen_at=Now() - timedelta(seconds=40))
    now = snapshot.take()
    assert (now.workers_alive, now.workers_silent) == (0, 1)
    assert now.last_completed_age is not None
    assert 0 <= now.last_completed_age < 30
