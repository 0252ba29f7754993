"""Workers while another session locks tables: no task is charged or parked, and they resume by themselves."""

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager

import psycopg
import pytest
from django.db import OperationalError, connection, connections
from pytest_django import Settings

from embeddings.models import Space
from queueops.admission.gate import Permit
from queueops.base import shutdown
from queueops.engine import (
    claims,
    execution,
    settle_retry,
    settling_in_parts,
    storage_probe,
    table_lock_pause,
)
from queueops.engine.claims import Claim
from queueops.engine.table_lock_pause import LockedOut
from queueops.maintenance import reaper
from queueops.models import Task, Worker
from queueops.worker import drain, leases
from queueops.worker.housekeeper import Housekeeper
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_tasks
from tests.table_locks import locked, rows_locked, waiting_at_most
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
_WAITED = """
SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND waitstart < clock_timestamp() - interval '0.4 seconds'
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
_LEASES = (
    "SELECT bool_and(lease_expires_at > clock_timestamp() - interval '0.3 seconds') FROM embedding_tasks"
)


@pytest.fixture(autouse=True)
def met(monkeypatch: pytest.MonkeyPatch) -> LockedOut:
    """The memory of locks, which looks as often as it is asked."""
    monkeypatch.setattr(table_lock_pause, "LOOK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(settling_in_parts, "_LOCK_SECONDS", 0.1)
    return table_lock_pause.locked_out


@pytest.fixture
def held_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is given back at once rather than after minutes."""
    monkeypatch.setattr(execution, "_DEADLINE_SECONDS", 0.5)
    monkeypatch.setattr(execution, "_HELD_SECONDS", 0.1)


def run_beside(
    lock: AbstractContextManager[int], work: Callable[[], object], until: Callable[[], object]
) -> None:
    """Does the work in a thread while the lock is held, which is let go once `until` is true."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            with waiting_at_most(2_000):
                work()
        except BaseException as error:
            raised.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    with lock:
        thread.start()
        wait_until(until)
    thread.join(30)
    assert not raised
    assert not thread.is_alive()


def one(query: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return bool(cursor.fetchone()[0])


def execute(claim: Claim, worker: Worker) -> Callable[[], object]:
    """Executes a claim as a worker's thread does."""
    return lambda: drain._execute(claim, worker.pk, Permit(claim.space.provider))


def rows() -> set[tuple[str, int, str]]:
    return set(Task.objects.values_list("status", "attempts", "outcome"))


# that of the vectors is read before the provider is asked
SETTLED_INTO = ["articles", "embedding_tasks", "embedding_audit_logs", "performance_metrics"]


@pytest.mark.parametrize("table", SETTLED_INTO)
def test_a_batch_whose_table_is_locked_keeps_its_vectors_until_it_is_free(
    space: Space, worker: Worker, provider: FakeProvider, met: LockedOut, table: str
) -> None:
    make_tasks(4, space)
    claim = claims.claim_due(space, 4, worker.pk, worker.name)
    run_beside(
        locked(table),
        execute(claim, worker),
        lambda: met._is_locked,
    )
    assert rows() == {("completed", 1, "embedded")}
    assert provider.stats()["texts"] == 4


@pytest.mark.parametrize("table", ["article_embeddings", "embedding_audit_logs", "performance_metrics"])
def test_where_that_lasts_the_tasks_go_back_uncharged(
    space: Space, worker: Worker, held_briefly: None, table: str
) -> None:
    make_tasks(4, space)
    claim = claims.claim_due(space, 4, worker.pk, worker.name)
    run_beside(
        locked(table),
        execute(claim, worker),
        lambda: rows() == {("pending", 0, "")},
    )
    assert set(Task.objects.values_list("error_message", flat=True)) == {
        "another session kept a table locked"
    }


def test_with_the_table_of_tasks_locked_they_are_owed_until_it_is_free(
    space: Space, worker: Worker, held_briefly: None
) -> None:
    make_tasks(4, space)
    claim = claims.claim_due(space, 4, worker.pk, worker.name)
    run_beside(locked("embedding_tasks"), execute(claim, worker), lambda: settle_retry.owed)
    assert settle_retry.give_back_owed() == 4
    assert rows() == {("pending", 0, "")}


def test_a_batch_that_a_reader_waits_for_gives_its_tasks_back_at_once(
    space: Space, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling_in_parts, "_LOCKED_FOR", 60.0)
    article = make_article("T", "A text.")
    make_tasks(3, space)
    claim = claims.claim_due(space, 4, worker.pk, worker.name)
    began = time.monotonic()
    with rows_locked("articles"):
        settled = execution.execute(claim, deadline=5.0)
    assert time.monotonic() - began < 20
    assert (settled.retried, settled.lost) == (4, 0)
    assert rows() == {("pending", 0, "")}
    assert Task.objects.get(article=article).error_message == "another session kept a table locked"


def test_a_stopping_process_does_not_wait(space: Space, worker: Worker) -> None:
    make_tasks(4, space)
    claim = claims.claim_due(space, 4, worker.pk, worker.name)
    shutdown.request()
    with locked("article_embeddings"), waiting_at_most(100):
        execute(claim, worker)()
    assert rows() == {("pending", 0, "")}


def test_a_locked_table_does_not_count_as_refused_storage(
    space: Space, worker: Worker, held_briefly: None
) -> None:
    make_tasks(4, space)
    claim = claims.claim_due(space, 4, worker.pk, worker.name)
    with locked("article_embeddings"), waiting_at_most(100):
        execute(claim, worker)()
    assert not storage_probe.brake.is_on


def test_nothing_is_claimed_while_a_table_is_locked_and_the_log_says_so_once(
    space: Space, worker: Worker, met: LockedOut, caplog: pytest.LogCaptureFixture
) -> None:
    make_tasks(4, space)
    error = _refusal()
    with locked("article_embeddings"), waiting_at_most(200):
        for _ in range(20):
            storage_probe.noted(error)
        drained = drain.drain(worker.pk, seconds=5)
        assert (drained.tasks, drained.wait) == (0, 1.0)
    assert drain.drain(worker.pk, seconds=5).tasks == 4
    events = [record.getMessage() for record in caplog.records if "locked" in record.getMessage()]
    assert len(events) == 2
    assert "article_embeddings by a stranger" in events[0]


def _refusal() -> Exception:
    error = OperationalError()
    error.__cause__ = psycopg.errors.LockNotAvailable()
    return error


def test_a_lock_of_rows_alone_or_of_a_table_that_workers_do_not_need_stops_nobody(met: LockedOut) -> None:
    with locked("auth_user"):
        assert met.note(_refusal())
        assert not met.is_lasting()
    assert not met.note(Exception("another error"))


def test_a_lease_begins_when_the_claim_takes_not_when_it_began_to_wait(
    space: Space, worker: Worker, settings: Settings
) -> None:
    settings.EMBEDDING_WORKER_TIMEOUT = 300
    make_tasks(2, space)
    run_beside(
        locked("embedding_tasks"),
        lambda: claims.claim_due(space, 2, worker.pk, worker.name),
        lambda: one(_WAITED),
    )
    assert one(_LEASES)


def test_a_lease_that_is_renewed_behind_a_lock_counts_from_then_on(
    space: Space, worker: Worker, settings: Settings
) -> None:
    settings.EMBEDDING_WORKER_TIMEOUT = 300
    make_tasks(2, space)
    claim = claims.claim_due(space, 2, worker.pk, worker.name)
    run_beside(locked("embedding_tasks"), lambda: leases.renew([claim.token]), lambda: one(_WAITED))
    assert one(_LEASES)


def test_one_sweep_at_a_time_waits_for_the_leases_and_no_other_judges_by_a_later_moment(space: Space) -> None:
    make_tasks(1, space, "processing", lease_expires_at=None, claim_token=uuid.uuid4())
    run_beside(
        locked("embedding_tasks"),
        reaper.return_expired,
        lambda: one(_WAITED) and reaper.return_expired() == (0, 0),
    )
    assert Task.objects.pending().count() == 1


@pytest.mark.parametrize("table", ["provider_states", "embedding_operations"])
def test_the_sweep_goes_on_beside_a_lock_that_it_does_not_need(
    space: Space, worker: Worker, table: str
) -> None:
    make_tasks(1, space, "processing", lease_expires_at=None, claim_token=uuid.uuid4())
    with waiting_at_most(100), locked(table):
        Housekeeper()._once(0.0)
    assert Task.objects.pending().count() == 1
