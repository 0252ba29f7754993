"""Every article finishes, however slow its provider: computed vectors are kept, and short articles overtake."""

import contextlib
import functools
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from pytest_django import Settings

from articles.models import Article
from embeddings.indexing import provider_pace
from embeddings.models import ArticleEmbedding, KeptVector, Space
from embeddings.providers.registry import provider_of
from queueops.base.database_refusals import Blame, Refusal
from queueops.engine import claims, execution, partial_vectors, storage_breaker, storage_probe
from queueops.engine.enqueue import enqueue_reembedding
from queueops.engine.results import Settled
from queueops.maintenance import reaper, sweep
from queueops.models import ProviderState, Status, Task, Worker
from queueops.worker import long_articles
from queueops.worker.drain import drain
from tests.concurrently import together
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_tasks
from tests.queueops.refusing_database import refusing
from tests.waiting import wait_until

CHUNKS = 24
TEXTS_A_REQUEST = 2
alone = pytest.mark.django_db
beside_others = pytest.mark.django_db(transaction=True)


def long_article(name: str = "Long", chunks: int = CHUNKS) -> Article:
    """An article whose paragraphs fill one chunk each."""
    return make_article(
        name, "\n\n".join(f"{name} paragraph {n} says something of its own. " * 13 for n in range(chunks))
    )


@pytest.fixture
def slow(space: Space, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    """A provider that embeds one text after another, 40 ms each, for batches whose turns are as short."""
    monkeypatch.setattr(partial_vectors, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(partial_vectors, "TURN_SECONDS", 0.3)
    client = provider_of(space)
    monkeypatch.setattr(client, "limits", replace(client.limits, max_inputs=TEXTS_A_REQUEST))
    provider.config(per_text_ms=40, one_by_one=True)
    return provider


@pytest.fixture
def known_as_slow(slow: FakeProvider, space: Space, monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    """From earlier requests: an article of more than a chunk or two is long."""
    monkeypatch.setattr(provider_pace, "LONG_SECONDS", 0.05)
    monkeypatch.setattr(provider_pace, "LEAST_LONG_BYTES", 1_000)
    provider_pace.of(space).speed.tokens_per_second = 5_000.0
    return slow


@pytest.fixture(autouse=True)
def process_without_turns() -> Iterator[None]:
    long_articles.of_this_process.cache_clear()
    yield
    long_articles.of_this_process.cache_clear()


@pytest.fixture
def turn(space: Space, worker: Worker) -> Callable[..., Settled]:
    return lambda **options: execution.execute(
        claims.claim_due(space, 100, worker.pk, worker.name), **options
    )


def turns_until_all_is_done(turn: Callable[..., Settled], **options: Any) -> int:
    turns = 0
    while Task.objects.live().exists():
        turn(**options)
        turns += 1
        assert not Task.objects.pending().exclude(attempts=0).exists()
        assert turns < 100
    return turns


def chunk_count() -> int:
    return ArticleEmbedding.objects.count()


@alone
def test_an_article_that_takes_many_turns_ends_and_each_of_its_chunks_is_paid_for_once(
    turn: Callable[..., Settled], slow: FakeProvider
) -> None:
    long_article()
    assert turns_until_all_is_done(turn) > 2
    assert Task.objects.get().outcome == "embedded"
    assert chunk_count() >= CHUNKS
    assert slow.stats()["texts"] == chunk_count()
    assert not KeptVector.objects.exists()


@alone
def test_an_article_that_takes_many_deadlines_ends_and_each_of_its_chunks_is_paid_for_once(
    turn: Callable[..., Settled], slow: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial_vectors, "TURN_SECONDS", 60.0)
    long_article()
    assert turns_until_all_is_done(turn, deadline=0.3) > 2
    assert chunk_count() >= CHUNKS
    lost = slow.stats()["texts"] - chunk_count()
    assert lost <= TEXTS_A_REQUEST * CHUNKS / 4  # the request that a deadline cuts off


@alone
def test_a_task_between_two_turns_reports_its_progress(
    turn: Callable[..., Settled], slow: FakeProvider
) -> None:
    long_article()
    turn()
    task = Task.objects.get()
    assert (task.status, task.error_class, task.attempts) == ("pending", "postponed", 0)
    done = KeptVector.objects.count()
    assert 0 < done < CHUNKS
    assert task.error_message.startswith(f"{done} of ")
    assert not ProviderState.objects.exclude(failures=0).exists()


@alone
def test_a_batch_of_short_articles_keeps_nothing(
    turn: Callable[..., Settled], slow: FakeProvider, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(partial_vectors.PartialVectors, "_write", lambda self, made: written.append(made))
    monkeypatch.setattr(partial_vectors, "KEEP_SECONDS", 60.0)
    monkeypatch.setattr(partial_vectors, "TURN_SECONDS", 60.0)
    make_tasks(10, space)
    assert turn().outcomes == {"embedded": 10}
    assert not written


@alone
def test_an_error_charges_no_attempt_if_chunks_were_kept(
    turn: Callable[..., Settled], slow: FakeProvider
) -> None:
    long_article()
    for _ in range(5):
        slow.config(reset=False, fail_next=["reordered", "500", "500"])
        Task.objects.update(scheduled_at=Now() - timedelta(seconds=1))
        ProviderState.objects.all().delete()
        turn()
    assert Task.objects.get().attempts == 0
    slow.config(reset=False, fail_next=[])
    Task.objects.update(scheduled_at=Now() - timedelta(seconds=1))
    ProviderState.objects.all().delete()
    turns_until_all_is_done(turn)


@alone
def test_a_chunk_that_its_provider_fails_is_charged_and_parked_though_others_were_kept(
    turn: Callable[..., Settled], slow: FakeProvider
) -> None:
    article = long_article(chunks=6)
    Article.objects.filter(pk=article.pk).update(content=article.content + "\n\nPOISON")
    slow.config(poison="POISON", poison_status=500)
    for _ in range(20):
        Task.objects.pending().update(scheduled_at=Now() - timedelta(seconds=1))
        ProviderState.objects.all().delete()
        turn()
        if not Task.objects.live().exists():
            break
    task = Task.objects.get()
    assert (task.status, task.attempts) == ("failed", task.max_attempts)
    sweep.sweep()
    assert not KeptVector.objects.exists()


@alone
def test_a_worker_that_lost_a_task_keeps_no_vectors_of_it(
    slow: FakeProvider, space: Space, worker: Worker
) -> None:
    long_article()
    held = claims.claim_due(space, 100, worker.pk, worker.name)
    Task.objects.update(status=Status.PENDING)
    claims.claim_due(space, 100, worker.pk, worker.name)
    assert execution.execute(held).lost == 1
    assert not KeptVector.objects.exists()


@alone
def test_an_edit_keeps_what_is_still_of_its_text_and_drops_the_rest_at_its_end(
    turn: Callable[..., Settled], slow: FakeProvider
) -> None:
    article = long_article()
    turn()
    kept = KeptVector.objects.count()
    article.content += "\n\nA new end."
    article.save()
    slow.config(reset=True)
    turns_until_all_is_done(turn)
    assert slow.stats()["texts"] <= chunk_count() - kept
    sweep.sweep()
    assert not KeptVector.objects.exists()


@alone
def test_a_re_embedding_starts_without_kept_vectors_and_ends_too(
    turn: Callable[..., Settled], slow: FakeProvider
) -> None:
    article = long_article()
    turn()
    assert KeptVector.objects.exists()
    with transaction.atomic():
        enqueue_reembedding([article.pk], uuid.uuid4())
    assert not KeptVector.objects.exists()
    slow.config(reset=True)
    assert turns_until_all_is_done(turn) > 2
    assert slow.stats()["texts"] == chunk_count()


@alone
@pytest.mark.parametrize("end", ["failed", "cancelled", "deleted"])
def test_kept_vectors_that_no_task_needs_are_removed(
    turn: Callable[..., Settled], slow: FakeProvider, end: str
) -> None:
    article = long_article()
    turn()
    assert KeptVector.objects.exists()
    if end == "deleted":
        article.delete()
    else:
        Task.objects.update(status=end)
        sweep.sweep()
    assert not KeptVector.objects.exists()


@alone
def test_a_sweep_leaves_alone_what_a_task_needs(turn: Callable[..., Settled], slow: FakeProvider) -> None:
    long_article()
    turn()
    kept = KeptVector.objects.count()
    sweep.sweep()
    assert KeptVector.objects.count() == kept > 0


@alone
def test_while_the_database_keeps_no_vectors_their_provider_is_not_asked_and_each_is_paid_for_once(
    slow: FakeProvider, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_breaker, "FIRST_WAIT", 0.05)
    long_article()
    with refusing("53100", table="kept_vectors"):
        drain(worker.pk, seconds=5)
        asked = slow.stats()["texts"]
        assert 0 < asked < CHUNKS / 2
        task = Task.objects.get()
        assert (task.status, task.attempts) == ("pending", 0)
        assert task.error_message.startswith("0 of ")
        for _ in range(3):
            wait_until(lambda: not storage_probe.brake.left)  # it is tried again, and refused
            assert drain(worker.pk, seconds=5).tasks == 0
        assert slow.stats()["texts"] == asked
        assert storage_probe.brake.now
        assert str(storage_probe.brake.now.refusal).endswith("No space left on device, in kept_vectors")
    wait_until(lambda: not storage_probe.brake.left)
    drained(worker)
    assert Task.objects.get().outcome == "embedded"
    assert slow.stats()["texts"] == chunk_count()
    assert not storage_probe.brake.is_on


@alone
def test_a_long_article_ends_its_turn_when_the_database_refuses_the_vectors_of_others(
    turn: Callable[..., Settled], slow: FakeProvider
) -> None:
    long_article()
    storage_probe.refused(Refusal("53100", Blame.DATABASE, "could not extend file"))
    turn()
    assert slow.stats()["texts"] == TEXTS_A_REQUEST
    assert not storage_probe.brake.is_on  # the next turn is whole


@alone
def test_a_text_whose_kept_vectors_alone_are_refused_is_charged_and_the_others_end(
    turn: Callable[..., Settled], slow: FakeProvider
) -> None:
    bad, good = long_article("Bad", 8), long_article("Good", 8)
    with refusing("P0001", f"NEW.article_id = {bad.pk}", "kept_vectors"):
        for _ in range(20):
            if Task.objects.filter(article=good, status="completed").exists():
                break
            turn()
            assert not storage_probe.brake.is_on
    task = Task.objects.get(article=bad)
    assert (task.error_class, task.attempts) == ("storage_refused", 1)
    assert "of this text alone (P0001" in task.error_message


@alone
def test_vectors_that_the_database_could_not_keep_are_held_in_this_process(
    turn: Callable[..., Settled], slow: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a batch that ends while the database is away."""
    monkeypatch.setattr(partial_vectors.PartialVectors, "keep", lambda *_: None)
    long_article()
    turn()
    done = slow.stats()["texts"]
    monkeypatch.undo()
    turns_until_all_is_done(turn)
    assert done > 0
    assert slow.stats()["texts"] == chunk_count()


def drained(worker: Worker) -> None:
    """By one thread, until nothing is due."""
    while drain(worker.pk, seconds=20).is_more:
        pass


def has_kept(count: int) -> bool:
    return KeptVector.objects.count() >= count


def in_a_thread(work: Callable[[], object]) -> threading.Thread:
    """Started, with a database connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@contextlib.contextmanager
def at_work(worker: Worker, threads: int) -> Iterator[Callable[[], None]]:
    """Threads that work off due tasks; calling the yielded function wakes one more; all have ended at the end."""
    started: list[threading.Thread] = []

    def ring() -> None:
        started.append(in_a_thread(lambda: drained(worker)))

    for _ in range(threads):
        ring()
    try:
        yield ring
    finally:
        for thread in started:
            thread.join()


@beside_others
def test_several_long_articles_at_once_all_end_and_none_is_charged(
    slow: FakeProvider, worker: Worker, settings: Settings
) -> None:
    for number in range(6):
        long_article(f"Long {number}", 12)
    together(4, lambda: drained(worker))
    drained(worker)
    assert set(Task.objects.values_list("status", "attempts")) == {("completed", 1)}
    assert slow.stats()["texts"] == chunk_count()


@beside_others
def test_what_is_saved_while_long_ones_are_in_work_does_not_wait_for_them(
    known_as_slow: FakeProvider, worker: Worker
) -> None:
    for number in range(8):
        long_article(f"Long {number}", 12)
    with at_work(worker, 4) as ring:
        wait_until(KeptVector.objects.exists)
        short = make_article("Short", "A short text.")
        ring()
        wait_until(lambda: short.embeddings.exists())
        waiting = Task.objects.live().count()
    assert waiting >= 4
    assert not Task.objects.live().exists()


@beside_others
def test_in_a_process_of_one_thread_short_ones_overtake_too(
    known_as_slow: FakeProvider, worker: Worker, settings: Settings
) -> None:
    settings.EMBEDDING_WORKER_THREADS = 1
    for number in range(3):
        long_article(f"Long {number}", 12)
    with at_work(worker, 1):
        wait_until(KeptVector.objects.exists)
        short = make_article("Short", "A short text.")
        wait_until(lambda: short.embeddings.exists())
        waiting = Task.objects.live().count()
    assert waiting >= 2


@beside_others
def test_a_worker_that_ends_in_the_midst_loses_the_requests_under_way_and_no_attempt(
    slow: FakeProvider, space: Space, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial_vectors, "TURN_SECONDS", 60.0)
    long_article()
    frozen = []
    for _ in range(4):  # more often than there are attempts
        kept = KeptVector.objects.count()
        held = claims.claim_due(space, 10, worker.pk, worker.name)
        slow.config(reset=False, fail_next=["reordered", "reordered", "hang"], hang_s=5)
        frozen.append(in_a_thread(functools.partial(execution.execute, held)))
        wait_until(functools.partial(has_kept, kept + 2 * TEXTS_A_REQUEST))
        Task.objects.update(lease_expires_at=Now() - timedelta(seconds=1))
        assert reaper.return_expired() == (1, 0)
        assert Task.objects.get().attempts == 0
    drained(worker)
    for thread in frozen:
        thread.join()
    assert Task.objects.get().outcome == "embedded"
    assert slow.stats()["texts"] - chunk_count() <= 4 * TEXTS_A_REQUEST
