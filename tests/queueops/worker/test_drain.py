"""A worker's loop: when it ends, whom it wakes, and what it says is left."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from embeddings.models import Space
from embeddings.providers.registry import provider_of
from queueops.base import installed
from queueops.models import ProviderState, Status, Task, Worker
from queueops.worker.drain import Drained, batch_size, drain
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_space, make_tasks

pytestmark = pytest.mark.django_db
FUTURE = "2999-01-01T00:00Z"


@pytest.mark.parametrize("setting", [1, 7, 0])
def test_a_batch_is_as_large_as_the_setting_says_or_as_suits_the_provider(
    settings: Settings, setting: int
) -> None:
    settings.EMBEDDING_BATCH_SIZE = setting
    local, ollama = (Space(provider=kind, model="m", dimensions=8) for kind in ("local", "ollama"))
    assert batch_size(local) == (setting or provider_of(local).limits.batch)
    assert batch_size(ollama) == (setting or provider_of(ollama).limits.batch)


def test_without_work_it_ends_at_once_and_wakes_nobody(space: Space, worker: Worker) -> None:
    woken: list[float] = []
    assert drain(
        worker.pk, seconds=20, wake_another=lambda: woken.append(0), wake_in=woken.append
    ) == Drained(0, False)
    assert woken == []


def test_it_works_until_nothing_is_due(space: Space, worker: Worker) -> None:
    make_tasks(5, space)
    make_tasks(1, space, priority="low", scheduled_at=Now() + timedelta(hours=1))
    assert drain(worker.pk, seconds=20) == Drained(5, False)
    assert Task.objects.pending().count() == 1
    assert Worker.objects.get().tasks_done == 5


def test_a_full_claim_wakes_another_once_in_a_slice(space: Space, worker: Worker, settings: Settings) -> None:
    settings.EMBEDDING_BATCH_SIZE = 2
    make_tasks(6, space)
    woken: list[int] = []
    assert drain(worker.pk, seconds=20, wake_another=lambda: woken.append(1)).tasks == 6
    assert woken == [1]


def test_a_claim_that_is_not_full_wakes_nobody(space: Space, worker: Worker, settings: Settings) -> None:
    settings.EMBEDDING_BATCH_SIZE = 10  # more than a claim leaves to the longest waiting
    make_tasks(2, space)
    woken: list[int] = []
    drain(worker.pk, seconds=20, wake_another=lambda: woken.append(1))
    assert woken == []


def test_a_slice_that_is_over_before_the_work_says_that_there_is_more(space: Space, worker: Worker) -> None:
    make_tasks(2, space)
    assert drain(worker.pk, seconds=0) == Drained(0, True)
    assert Task.objects.pending().count() == 2


def test_a_stopping_worker_starts_nothing(space: Space, worker: Worker) -> None:
    make_tasks(2, space)
    assert drain(worker.pk, seconds=20, is_stopping=lambda: True) == Drained(0, False)
    assert Task.objects.pending().count() == 2


def test_a_retry_is_rung_for_when_it_is_due(
    space: Space, worker: Worker, provider: FakeProvider, settings: Settings
) -> None:
    settings.EMBEDDING_RETRY_BACKOFF_BASE = 60_000
    make_article()
    provider.config(poison="content", poison_status=500)
    rung: list[float] = []
    drained = drain(worker.pk, seconds=20, wake_in=rung.append)
    assert (drained.tasks, Task.objects.get().status) == (1, "pending")
    [seconds] = rung
    assert 0 < seconds <= 200


def test_a_provider_that_may_not_be_asked_is_waited_for(space: Space, worker: Worker) -> None:
    make_tasks(2, space)
    ProviderState.objects.create(name="openai", blocked_until=FUTURE)
    drained = drain(worker.pk, seconds=20)
    assert (drained.tasks, drained.is_more) == (0, False)
    assert drained.wait is not None
    assert drained.wait > 1_000


def test_the_shortest_wait_of_several_providers_counts(space: Space, worker: Worker) -> None:
    Space.objects.create(version=101, provider="ollama", model="m", dimensions=8, chunk_tokens=200)
    ProviderState.objects.create(name="openai", blocked_until=FUTURE)
    ProviderState.objects.create(name="ollama", blocked_until=Now() + timedelta(minutes=1))
    wait = drain(worker.pk, seconds=20).wait
    assert wait is not None
    assert 50 < wait <= 60


def test_a_queue_that_is_not_installed_has_nothing_to_do(
    space: Space, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "_IS_UP", "SELECT false")
    installed.forget()
    make_tasks(1, space)
    assert drain(worker.pk, seconds=20).tasks == 0


def test_a_retired_space_gets_nothing(space: Space, worker: Worker, provider: FakeProvider) -> None:
    make_tasks(2, space)
    type(space).objects.update(state="retired")
    assert drain(worker.pk, seconds=20) == Drained(0, False)
    assert provider.stats()["requests"] == 0


def test_spaces_take_turns(worker: Worker, provider: FakeProvider, settings: Settings) -> None:
    settings.EMBEDDING_BATCH_SIZE = 1
    first = make_space()
    second = Space.objects.create(
        version=101, provider="openai", model="other", dimensions=8, chunk_tokens=200
    )
    tasks = make_tasks(2, first)
    for task in tasks:
        Task.objects.create(article=task.article, space=second, slug=task.slug)
    drain(worker.pk, seconds=20)
    order = (
        Task.objects.filter(status=Status.COMPLETED).order_by("processed_at").values_list("space", flat=True)
    )
    assert list(order) == [first.pk, second.pk] * 2
