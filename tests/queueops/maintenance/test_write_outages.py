"""A lease that ended while the database accepted no writes does not mean a lost worker."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from pytest_django import Settings

from embeddings.models import Space
from queueops.engine import claims
from queueops.maintenance import reaper
from queueops.models import QueueState, Task, Worker
from queueops.worker import leases
from tests.queueops.factories import make_tasks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def lease(settings: Settings) -> None:
    settings.EMBEDDING_WORKER_TIMEOUT = 60_000


def end_leases() -> None:
    Task.objects.update(lease_expires_at=Now() - timedelta(seconds=1))


def test_the_first_sweeps_after_an_outage_leave_living_workers_time_to_renew(
    space: Space, worker: Worker
) -> None:
    make_tasks(2, space)
    living, dead = (claims.claim_due(space, 1, worker.pk, worker.name) for _ in range(2))
    assert reaper.return_expired() == (0, 0)
    QueueState.objects.update(leases_returned_at=Now() - timedelta(minutes=5))
    end_leases()
    assert reaper.return_expired() == (0, 0)
    leases.renew([living.token])
    QueueState.objects.update(grace_until=Now())  # it is over
    assert reaper.return_expired() == (1, 0)
    assert Task.objects.processing().get().claim_token == living.token
    assert Task.objects.pending().get().pk == dead.tasks[0].task_id


@pytest.mark.parametrize("age", [timedelta(0), timedelta(minutes=5)])
def test_a_sweep_that_is_refused_does_not_pass_for_one(space: Space, age: timedelta) -> None:
    """Else a right that was lost on the tasks alone would look as if leases could have been renewed."""
    make_tasks(1, space, "processing")
    end_leases()
    QueueState.objects.update(leases_returned_at=Now() - age)
    before = QueueState.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("REVOKE UPDATE ON embedding_tasks FROM CURRENT_USER")
        try:
            with pytest.raises(DatabaseError):
                reaper.return_expired()
        finally:
            cursor.execute("GRANT UPDATE ON embedding_tasks TO CURRENT_USER")
    after = QueueState.objects.get()
    assert (after.leases_returned_at, after.grace_until) == (before.leases_returned_at, None)


def test_sweeps_that_come_in_time_return_what_has_ended(space: Space) -> None:
    make_tasks(1, space, "processing")
    reaper.return_expired()
    end_leases()
    assert reaper.return_expired() == (1, 0)


def test_a_grace_beyond_its_length_is_none(space: Space) -> None:
    """A clock that was ahead and stepped back."""
    make_tasks(1, space, "processing")
    end_leases()
    QueueState.objects.update(leases_returned_at=Now(), grace_until=Now() + timedelta(hours=1))
    assert reaper.return_expired() == (1, 0)
