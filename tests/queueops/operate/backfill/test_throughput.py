"""How fast texts were embedded lately."""

import pytest
from django.db.models.functions import Now

from embeddings.models import Space
from queueops.models import Metric
from queueops.operate.backfill import throughput
from queueops.operate.backfill.throughput import TimedBatch
from tests.queueops.cli_runner import embed_migrate
from tests.queueops.factories import make_space
from tests.queueops.operate.backfill.test_run import make_corpus


@pytest.fixture
def space(db: None) -> Space:
    return make_space()


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([], None),
        ([TimedBatch(10, 2, 8)], (4.0, 1)),
        ([TimedBatch(10, 2, 8), TimedBatch(20, 2, 8)], (4.0, 2)),  # the pause between them does not count
        ([TimedBatch(10, 2, 8), TimedBatch(10, 2, 8)], (8.0, 2)),  # side by side
        ([TimedBatch(10, 4, 8), TimedBatch(12, 4, 8)], (16 / 6, 2)),  # they overlap
        ([TimedBatch(10, 8, 8), TimedBatch(8, 2, 8)], (2.0, 2)),  # one within the other
        ([TimedBatch(10, 2, 8), TimedBatch(20, 2, 1)], (4.0, 1)),  # a single save says nothing of a backlog
    ],
)
def test_the_rate_is_that_of_all_workers_while_they_work(
    batches: list[TimedBatch], expected: tuple[float, int] | None
) -> None:
    found = throughput.of(batches)
    assert (found and (found.per_second, found.batches)) == expected


def test_the_rate_is_read_from_the_batches_of_the_space(space: Space) -> None:
    make_corpus(6)
    assert "no batch has been measured yet" in embed_migrate("analyze").out
    now = {"timestamp": Now(), "labels": {"space": space.pk, "provider": "openai"}}
    Metric.objects.bulk_create(
        [Metric(name="batch_seconds", value=2.0, **now), Metric(name="provider_texts", value=8.0, **now)]
    )
    [told] = embed_migrate("analyze", "--json").json["estimates"]
    assert (told["per_second"], told["batches_measured"], told["seconds"]) == (4.0, 1, 1.5)
    assert throughput.measured(space.pk + 1) is None
