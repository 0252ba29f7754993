"""A text that kills its worker is found and parked; tasks lost with it, or with the machine, are not."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.db.models.functions import Now

from embeddings.models import KeptVector, Space
from embeddings.storage import vectors
from queueops.engine import claims, execution
from queueops.engine.claims import Claim
from queueops.engine.results import Settled
from queueops.maintenance import reaper
from queueops.models import AuditLog, Metric, Task, Worker, worker_registry
from queueops.worker import lost_task_trials
from queueops.worker.lost_task_trial_size import TrialSize
from tests.queueops.factories import make_tasks, make_worker

pytestmark = pytest.mark.django_db
ATTEMPTS = 3


class Deaths:
    """Worker processes, one after the other: each dies when it has a text of `poison` in its hands, with all that it
    holds, and the sweep comes by."""

    def __init__(self, space: Space, poison: set[int], size: int = 100) -> None:
        self.space, self.poison, self.size = space, poison, size
        self.worker = make_worker()
        self.sizes: list[int] = []

    def work(self, rounds: int) -> None:
        for _ in range(rounds):
            claimant = worker_registry.claimant(self.worker.pk)
            if (held := claims.claim_due(self.space, self.size, self.worker.pk, claimant)).tasks:
                self.execute(held)
            lost_task_trials.run(
                [self.space], self.worker.pk, self.execute, lambda space: self.size, lambda: False
            )

    def execute(self, claim: Claim, *_: Any) -> Settled | None:
        if self.poison & {task.task_id for task in claim.tasks}:
            self.sizes.append(len(claim.tasks))
            lose(self.worker)
            self.worker, lost_task_trials.trial_size = make_worker(), TrialSize(1)
            return None
        return execution.execute(claim)


def lose(*dead: Worker) -> None:
    """These were killed, their leases ended, and the sweep came by."""
    names = [worker_registry.claimant(worker.pk) for worker in dead]
    Task.objects.processing().filter(claimed_by__in=names).update(
        lease_expires_at=Now() - timedelta(seconds=1)
    )
    reaper.return_expired()


def test_a_text_that_kills_its_worker_is_parked_after_dying_alone_and_none_beside_it(space: Space) -> None:
    poison = make_tasks(100, space)[37]
    deaths = Deaths(space, {poison.pk})
    deaths.work(20)
    assert list(Task.objects.failed()) == [poison]
    assert Task.objects.filter(outcome="embedded").count() == 99
    assert (deaths.sizes[:2], deaths.sizes[-ATTEMPTS:]) == ([100, 16], [1] * ATTEMPTS)
    assert all(
        later <= earlier // 2 + 1 for earlier, later in zip(deaths.sizes, deaths.sizes[1:], strict=False)
    )
    poison.refresh_from_db()
    assert (poison.attempts, poison.error_class, poison.losses) == (3, "worker_lost", len(deaths.sizes))
    assert "held only this task" in poison.error_message


@pytest.mark.parametrize(("has_progressed", "attempts"), [(False, 1), (True, 0)])
def test_a_text_that_was_alone_is_charged_unless_a_chunk_of_it_was_kept(
    space: Space, has_progressed: bool, attempts: int
) -> None:
    (task,) = make_tasks(1, space, "processing", is_alone=True, attempts=1, processed_at=Now())
    if has_progressed:
        (vector,) = vectors.to_wire(np.ones((1, space.dimensions), dtype=np.float32))
        KeptVector.objects.create(
            article_id=task.article_id, space=space, text_hash=b"0" * 16, embedding=vector, chunks_to_embed=2
        )
    Task.objects.update(lease_expires_at=Now() - timedelta(seconds=1))
    reaper.return_expired()
    assert Task.objects.pending().get().attempts == attempts


def test_several_texts_that_kill_are_each_found(space: Space) -> None:
    tasks = make_tasks(60, space)
    poison = {tasks[number].pk for number in (3, 30, 31, 59)}
    Deaths(space, poison, size=20).work(60)
    assert set(Task.objects.failed().values_list("pk", flat=True)) == poison
    assert Task.objects.filter(outcome="embedded").count() == 56


def test_kills_from_outside_end_no_text_that_was_never_alone(space: Space) -> None:
    make_tasks(60, space)
    for _ in range(12):
        worker = make_worker()
        for _thread in range(3):
            claims.claim_due(space, 20, worker.pk, worker_registry.claimant(worker.pk))
        lose(worker)
    assert not Task.objects.failed().exists()
    assert set(Task.objects.values_list("attempts", flat=True)) == {0}
    Deaths(space, set()).work(3)
    assert Task.objects.filter(outcome="embedded").count() == 60


def alone(space: Space) -> Worker:
    """A worker that holds a task alone which was lost before."""
    make_tasks(1, space)
    Task.objects.update(error_class="worker_lost", losses=2)
    worker = make_worker()
    held = claims.claim_on_trial(space, 1, worker.pk, worker_registry.claimant(worker.pk))
    assert claims.mark_alone(held)
    return worker


def attempts() -> int:
    return Task.objects.get(losses=3).attempts


def test_a_task_that_was_alone_when_its_worker_died_is_charged(space: Space) -> None:
    lose(alone(space))
    assert attempts() == 1


def test_where_all_workers_died_at_once_nothing_is_charged(space: Space) -> None:
    idle = make_worker()
    holder = alone(space)
    Worker.objects.filter(pk=idle.pk).update(last_seen_at=Now() - timedelta(seconds=20))
    Task.objects.update(processed_at=Now() - timedelta(seconds=20))
    lose(holder)
    assert attempts() == 0
    assert "together with others" in Task.objects.get().error_message


def test_a_worker_that_fell_silent_long_before_says_nothing_of_this_loss(space: Space) -> None:
    make_worker(last_seen_at=Now() - timedelta(seconds=60))
    lose(alone(space))
    assert attempts() == 1


def test_a_task_is_cleared_by_another_workers_death_since_it_was_lost_before(space: Space) -> None:
    holder = alone(space)
    other = make_worker()
    make_tasks(2, space, priority="high")
    claims.claim_due(space, 2, other.pk, worker_registry.claimant(other.pk))
    lose(other)
    lose(holder)
    assert attempts() == 0


def test_another_task_that_was_alone_clears_nobody(space: Space) -> None:
    holder = alone(space)
    Metric.objects.create(name="worker_lost", value=1, labels={"claimed_by": "worker 1", "alone": True})
    lose(holder)
    assert attempts() == 1


def test_a_loss_is_written_down_once_for_each_worker(space: Space) -> None:
    make_tasks(5, space)
    first, second = make_worker(), make_worker()
    for worker, size in ((first, 2), (first, 1), (second, 2)):
        claims.claim_due(space, size, worker.pk, worker_registry.claimant(worker.pk))
    lose(first, second)
    found = Metric.objects.filter(name="worker_lost").order_by("-value").values_list("value", "labels")
    assert list(found) == [
        (3.0, {"claimed_by": worker_registry.claimant(first.pk), "alone": False}),
        (2.0, {"claimed_by": worker_registry.claimant(second.pk), "alone": False}),
    ]
    assert AuditLog.objects.filter(message__endswith="ended; the task is pending now").count() == 5


def test_a_loss_for_another_reason_in_between_starts_over(space: Space) -> None:
    holder = alone(space)
    Task.objects.update(error_class="transient")
    lose(holder)
    assert Task.objects.get().losses == 1
