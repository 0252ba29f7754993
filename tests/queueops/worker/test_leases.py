"""A lease lasts as long as the work, and ends for hung or lost claims."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from pytest_django import DjangoAssertNumQueries, Settings

from embeddings.models import ArticleEmbedding, Space
from queueops.engine import claims, execution
from queueops.maintenance import reaper
from queueops.models import Metric, Status, Task, Worker
from queueops.worker import drain, leases
from tests.providers import FakeProvider
from tests.queueops.factories import make_tasks, now
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def claim(space: Space, worker: Worker) -> Callable[..., claims.Claim]:
    return lambda size=100: claims.claim_due(space, size, worker.pk, worker.name)


@pytest.fixture
def register() -> leases.Register:
    return leases.Register()


def end_leases() -> None:
    Task.objects.update(lease_expires_at=Now() - timedelta(seconds=1))


def updates() -> tuple[int, int]:
    """Rows of tasks that this session has updated lately, and how many of them without writing to an index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'embedding_tasks'"
        )
        rows, in_place = cursor.fetchone()
        return rows, in_place


def test_a_renewal_finds_room_beside_the_row_and_writes_to_no_index(space: Space) -> None:
    token = uuid.uuid4()
    make_tasks(200, space, Status.PROCESSING, claim_token=token)
    rows, in_place = updates()
    leases.renew([token])
    rows_now, in_place_now = updates()
    assert rows_now - rows == 200
    assert in_place_now - in_place > 100  # all in one transaction: what was there before still takes its room


def test_a_renewed_lease_lasts_a_full_lease_from_now(
    claim: Callable[..., claims.Claim], space: Space, settings: Settings
) -> None:
    settings.EMBEDDING_WORKER_TIMEOUT = 60_000
    make_tasks(2, space)
    held = claim()
    end_leases()  # ended, but not returned yet: the token still holds
    before = now()
    assert leases.renew([held.token]) == {held.token}
    for task in Task.objects.all():
        assert task.lease_expires_at is not None
        assert timedelta(seconds=59) < task.lease_expires_at - before < timedelta(seconds=90)
    assert reaper.return_expired() == (0, 0)


def test_only_claims_that_are_named_are_renewed(claim: Callable[..., claims.Claim], space: Space) -> None:
    make_tasks(2, space)
    ours, other = claim(1), claim(1)
    end_leases()
    leases.renew([ours.token])
    assert Task.objects.expired().get().claim_token == other.token


@pytest.mark.parametrize("status", ["pending", "failed", "cancelled", "completed"])
def test_a_lost_lease_is_not_renewed(claim: Callable[..., claims.Claim], space: Space, status: str) -> None:
    make_tasks(1, space)
    held = claim()
    end_leases()
    Task.objects.update(status=status, outcome="embedded" if status == "completed" else "")
    assert leases.renew([held.token]) == set()
    assert Task.objects.get().lease_expires_at is None


def test_a_claim_is_registered_while_it_is_executed(register: leases.Register) -> None:
    token = uuid.uuid4()
    with register.holding(token):
        assert register.tokens() == [token]
    assert register.tokens() == []


def test_a_hung_batch_is_abandoned(register: leases.Register) -> None:
    with register.holding(uuid.uuid4()):
        assert register.abandon(longest=60) == 0
        assert register.abandon(longest=-1) == 1
        assert register.tokens() == []


def test_a_hung_batch_is_abandoned_only_after_the_providers_deadline() -> None:
    assert leases.longest_seconds() > execution.deadline_seconds()


def test_a_claim_whose_tasks_are_gone_is_counted_once_and_at_the_second_beat(
    claim: Callable[..., claims.Claim], space: Space, register: leases.Register
) -> None:
    make_tasks(1, space)
    held = claim()
    heart = leases.LeaseRenewer(register)
    with register.holding(held.token):
        assert heart.beat() == leases.Beat(renewed=1)
        Task.objects.update(status=Status.CANCELLED)
        assert [heart.beat().lost for _ in range(3)] == [0, 1, 0]
    assert Metric.objects.get(name="leases_lost").value == 1


def test_results_of_a_worker_without_its_lease_are_dropped_and_counted(
    claim: Callable[..., claims.Claim], space: Space
) -> None:
    make_tasks(3, space)
    late = claim()
    end_leases()
    reaper.return_expired()
    assert execution.execute(late).lost == 3
    assert Metric.objects.get(name="batch_lost").value == 3
    assert not ArticleEmbedding.objects.exists()


def test_an_idle_heartbeat_asks_the_database_nothing(
    register: leases.Register, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert leases.LeaseRenewer(register).beat() == leases.Beat()


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_is_being_settled_is_not_waited_for(
    claim: Callable[..., claims.Claim], space: Space
) -> None:
    make_tasks(1, space)
    held = claim()
    found = []

    def renew() -> None:
        found.append(leases.renew([held.token]))
        connection.close()

    with transaction.atomic():
        list(Task.objects.select_for_update())
        thread = threading.Thread(target=renew)
        thread.start()
        wait_until(lambda: found, what="the renewal to pass over locked rows")
    thread.join()
    assert found == [{held.token}]


@pytest.mark.django_db(transaction=True)
def test_a_provider_call_longer_than_the_lease_keeps_its_tasks(
    space: Space, worker: Worker, provider: FakeProvider, settings: Settings
) -> None:
    settings.EMBEDDING_WORKER_TIMEOUT = 1_500
    provider.config(latency_ms=4_000)
    make_tasks(3, space)
    drained = []

    def work() -> None:
        drained.append(drain.drain(worker.pk, seconds=1))
        connection.close()

    thread = threading.Thread(target=work)
    leases.lease_renewer.start()
    try:
        thread.start()
        wait_until(lambda: reaper.return_expired() != (0, 0) or drained, what="the batch to end")
    finally:
        thread.join()
        leases.lease_renewer.stop()
    assert set(Task.objects.values_list("status", "attempts")) == {("completed", 1)}
    assert provider.stats()["requests"] == 1
