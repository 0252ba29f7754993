"""Tasks lost with several workers are tried by one thread in isolation."""

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from embeddings.models import Space
from queueops.engine.claims import Claim
from queueops.models import ProviderState, Task, Worker
from queueops.worker import lost_task_trials
from queueops.worker.drain import drain
from queueops.worker.lost_task_trial_size import TrialSize
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_tasks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def immediate_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queueops.worker.lost_task_trials._looked_at", float("-inf"))
    monkeypatch.setattr("queueops.worker.lost_task_trials.trial_size", TrialSize(1))


def lost(count: int, space: Space) -> None:
    make_tasks(count, space)
    Task.objects.update(error_class="worker_lost", losses=2)


def test_a_drain_tries_them_after_everything_else(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    lost(30, space)
    fresh = make_article("An edit")
    assert drain(worker.pk, seconds=20).tasks == 31
    assert Task.objects.filter(outcome="embedded").count() == 31
    assert Task.objects.filter(losses=2, is_alone=True).exists()
    assert not Task.objects.get(article=fresh).is_alone


def test_the_process_looks_for_them_once_a_second(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    assert lost_task_trials.is_time()
    assert not lost_task_trials.is_time()


def test_a_process_that_stops_begins_no_other_trial(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    lost(3, space)
    executed = []

    def execute(claim: Claim, *_: object) -> None:
        executed.append(claim)

    assert (
        lost_task_trials.run(
            [space], worker.pk, execute, lambda space: 10, is_stopping=lambda: bool(executed)
        )
        == 1
    )


def test_where_nothing_else_is_left_one_of_them_asks_whether_the_provider_is_back(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    lost(2, space)
    ProviderState.objects.create(name="openai", breaker="open", retry_at=Now(), failures=3, openings=1)
    drain(worker.pk, seconds=20)
    assert Task.objects.filter(outcome="embedded").count() == 2


def test_a_provider_that_limits_us_ends_the_trial_and_charges_nothing(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    lost(2, space)
    provider.config(fail_next=["429"])
    drain(worker.pk, seconds=20)
    assert set(Task.objects.values_list("status", "attempts", "losses")) == {("pending", 0, 2)}


def test_once_more_than_a_batch_went_well_they_are_claimed_like_all_else(
    space: Space, worker: Worker, provider: FakeProvider, settings: Settings
) -> None:
    settings.EMBEDDING_BATCH_SIZE = 4
    lost_task_trials.trial_size = TrialSize(
        1, now=iter(range(0, 10_000, 3)).__next__
    )  # three seconds pass at each look
    lost(40, space)
    drain(worker.pk, seconds=20)
    assert Task.objects.filter(outcome="embedded").count() == 40
    assert lost_task_trials.is_trusting(4)
    assert claims_of_a_trial() < 10


def claims_of_a_trial() -> int:
    """How many tasks were tried with nothing beside them."""
    return Task.objects.filter(is_alone=True).count()
