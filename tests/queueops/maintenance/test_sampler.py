"""The samples that one worker writes, and where they replace counting."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from queueops.maintenance import sampler
from queueops.models import Metric
from tests.concurrently import together
from tests.queueops.factories import make_space, make_tasks

SAMPLED = {
    "articles": 3.0,
    "articles_embedded": 0.0,
    "queue_pending": 3.0,
    "queue_processing": 0.0,
    "queue_failed": 0.0,
    "queue_failed_open": 0.0,
    "queue_oldest_due_seconds": pytest.approx(0.0, abs=10),
    "queue_tasks_per_second": 0.0,
    "workers_alive": 0.0,
    "sampling_seconds": pytest.approx(0.0, abs=10),
}


@pytest.mark.django_db
def test_a_sample_is_written_once_in_its_interval() -> None:
    make_tasks(3, make_space())
    assert sampler.sample_if_due() == len(SAMPLED)
    assert dict(Metric.objects.values_list("name", "value")) == SAMPLED
    assert sampler.sample_if_due() == 0
    Metric.objects.update(timestamp=Now() - timedelta(minutes=2))
    assert sampler.sample_if_due() == len(SAMPLED)


@pytest.mark.django_db
def test_a_sample_that_took_long_is_taken_less_often() -> None:
    make_space()
    sampler.sample()
    Metric.objects.filter(name="sampling_seconds").update(value=15.0, timestamp=Now() - timedelta(minutes=4))
    assert sampler.sample_if_due() == 0
    Metric.objects.update(timestamp=Now() - timedelta(minutes=6))
    assert sampler.sample_if_due() > 0


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_one_samples() -> None:
    make_space()
    assert sorted(together(3, sampler.sample_if_due))[:2] == [0, 0]
    assert Metric.objects.filter(name="articles").count() == 1
