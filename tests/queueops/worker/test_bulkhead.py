"""One thread of a process is always free for fresh edits."""

import contextlib
from collections.abc import Iterator

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from embeddings.models import Space
from queueops.admission import gate
from queueops.models import ProviderState, Task, Worker
from queueops.worker import bulkhead
from queueops.worker.bulkhead import Bulkhead
from queueops.worker.drain import drain
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_tasks


@pytest.mark.parametrize(("threads", "backfilling"), [(1, 1), (2, 1), (4, 3)])
def test_all_threads_but_one_may_take_the_lowest_rank(threads: int, backfilling: int) -> None:
    lanes = Bulkhead(threads)
    with contextlib.ExitStack() as held:
        answers = [held.enter_context(lanes.enter()) for _ in range(threads)]
    assert answers.count(True) == backfilling


def test_a_thread_is_free_again_after_its_batch_whatever_happened() -> None:
    lanes = Bulkhead(2)
    with contextlib.suppress(ZeroDivisionError), lanes.enter():
        _ = 1 / 0
    with lanes.enter() as may_backfill:
        assert may_backfill


@pytest.fixture
def last_free_thread(settings: Settings) -> Iterator[None]:
    """All other threads of this process work off a backfill."""
    with contextlib.ExitStack() as held:
        for _ in range(settings.EMBEDDING_WORKER_THREADS - 1):
            held.enter_context(bulkhead.of_this_process().enter())
        yield


@pytest.mark.django_db
def test_the_last_free_thread_takes_edits_and_leaves_the_backfill(
    space: Space, worker: Worker, provider: FakeProvider, last_free_thread: None
) -> None:
    make_tasks(3, space, priority="low")
    edited = make_article("An edit")
    drain(worker.pk, seconds=20)
    assert list(Task.objects.filter(status="completed").values_list("article", flat=True)) == [edited.pk]


@pytest.mark.django_db
def test_the_last_free_thread_asks_a_provider_that_was_out_whatever_waits(
    space: Space, worker: Worker, provider: FakeProvider, last_free_thread: None
) -> None:
    make_tasks(1, space, priority="low")
    ProviderState.objects.create(name="openai", breaker="open", retry_at=Now(), failures=3, openings=1)
    drain(worker.pk, seconds=20)
    assert gate.admit("openai").canary is None
    assert Task.objects.get().status == "completed"
