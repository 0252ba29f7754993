"""The thread beside a worker's actors: its row comes, stays fresh and goes, and no trouble of the database ends it.

What a beat does besides is tried where that is: brokerless, broker_keys, clock_repair, table_lock_pause.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings
from structlog.testing import capture_logs

from queueops.base import shutdown
from queueops.engine import claims
from queueops.models import Task, Worker, worker_registry
from queueops.worker.housekeeper import Housekeeper
from tests.concurrently import together
from tests.queueops.factories import make_space, make_tasks, now
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
NO_SWEEP = 3_600


@pytest.fixture
def keeper() -> Housekeeper:
    return Housekeeper()


def test_of_many_threads_that_ask_one_registers_the_process(keeper: Housekeeper) -> None:
    assert set(together(4, keeper.registered)) == {Worker.objects.get().pk}
    assert keeper.registered() == keeper.worker_id


def test_a_beat_keeps_the_row_fresh(keeper: Housekeeper) -> None:
    keeper.registered()
    Worker.objects.update(last_seen_at="2000-01-01T00:00Z")
    began = now()
    keeper._once(NO_SWEEP)
    assert Worker.objects.get().last_seen_at >= began


def test_a_row_that_somebody_removed_is_made_again(keeper: Housekeeper) -> None:
    first = keeper.registered()
    Worker.objects.all().delete()
    keeper._once(NO_SWEEP)
    assert Worker.objects.get().pk == keeper.worker_id != first


def test_a_stopping_worker_releases_its_tasks_and_removes_its_row(keeper: Housekeeper) -> None:
    space = make_space()
    make_tasks(3, space)
    worker_id = keeper.registered()
    claims.claim_due(space, 2, worker_id, worker_registry.claimant(worker_id))
    claims.claim_due(space, 1, worker_id, "another")
    keeper.leave()
    assert Task.objects.pending().filter(claim_token=None, lease_expires_at=None).count() == 2
    assert Task.objects.processing().get().claimed_by == "another"
    assert set(Task.objects.pending().values_list("attempts", flat=True)) == {0}
    assert not Worker.objects.exists()
    keeper.leave(sender=None)
    assert keeper.worker_id is None


def test_a_row_that_holds_the_brake_stays(keeper: Housekeeper) -> None:
    keeper.registered()
    Worker.objects.update(is_running=False)
    keeper.leave()
    assert Worker.objects.exists()


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The database does not answer until the test ends."""
    connection.close()
    with monkeypatch.context() as elsewhere:
        elsewhere.setitem(connection.settings_dict, "HOST", "/nowhere")
        yield
        connection.close()


def test_a_worker_that_stops_without_a_database_leaves_its_tasks_to_the_sweep(
    keeper: Housekeeper, request: pytest.FixtureRequest
) -> None:
    keeper.registered()
    request.getfixturevalue("no_database")
    with capture_logs() as logs:
        keeper.leave()
    assert [log["log_level"] for log in logs] == ["info"]


def test_a_database_that_is_away_is_logged_once_until_it_is_back(
    keeper: Housekeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper.registered()
    with capture_logs() as logs:
        for _ in range(2):
            connection.close()
            with monkeypatch.context() as elsewhere:
                elsewhere.setitem(connection.settings_dict, "HOST", "/nowhere")
                keeper._once(NO_SWEEP)
                keeper._once(NO_SWEEP)
                connection.close()
            keeper._once(NO_SWEEP)
    assert [log["log_level"] for log in logs if "reason" in log] == ["warning", "warning"]


def test_an_error_that_nobody_expects_does_not_end_the_thread(keeper: Housekeeper) -> None:
    def fail(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> None:
        raise ZeroDivisionError("a bug")

    keeper.registered()
    with capture_logs() as logs, connection.execute_wrapper(fail):
        keeper._once(NO_SWEEP)
    [log] = logs
    assert log["log_level"] == "error"
    keeper._once(NO_SWEEP)
    assert Worker.objects.exists()


def test_the_thread_registers_the_process_and_ends_with_it(keeper: Housekeeper, settings: Settings) -> None:
    settings.EMBEDDING_WORKER_INTERVAL = 3_600_000
    keeper.start(sender=None)
    thread = keeper._thread
    assert thread is not None
    try:
        wait_until(Worker.objects.exists, what="the process's row")
        assert thread.is_alive()
    finally:
        shutdown.request()
        keeper.stop(sender=None)
    thread.join(10)
    assert not thread.is_alive()
    keeper.leave()
    assert not Worker.objects.exists()
