"""Batches that the database refuses charge no text; they are held as long as allowed, and then requeued."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from pytest_django import Settings

from embeddings.models import Space
from queueops.base import shutdown
from queueops.engine import claims, execution, settle_retry, storage_breaker, storage_probe, synchronous
from queueops.engine.enqueue import Reason
from queueops.engine.results import Settled
from queueops.maintenance import reaper
from queueops.models import Task, Worker
from queueops.worker import drain, leases
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_tasks
from tests.queueops.refusing_database import refusing, take_again
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def claim(space: Space, worker: Worker) -> Callable[..., claims.Claim]:
    return lambda size=100: claims.claim_due(space, size, worker.pk, worker.name)


@pytest.fixture
def held_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is given back at once rather than after minutes."""
    monkeypatch.setattr(execution, "_DEADLINE_SECONDS", 0.5)
    monkeypatch.setattr(execution, "_HELD_SECONDS", 0.1)


@pytest.fixture
def read_only() -> Iterator[Callable[..., None]]:
    """Every new session may only read, until the test switches that off."""

    def switch(is_on: bool) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_database()")
            name = cursor.fetchone()[0]
            cursor.execute("SET default_transaction_read_only = off")
            cursor.execute(
                f'ALTER DATABASE "{name}" SET default_transaction_read_only = {"on" if is_on else "off"}'
            )
        connection.close()

    yield switch
    switch(False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        cursor.execute(f'ALTER DATABASE "{cursor.fetchone()[0]}" RESET default_transaction_read_only')


def in_a_thread(work: Callable[..., Settled]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def kinds() -> set[tuple[str, int, str]]:
    return set(Task.objects.values_list("status", "attempts", "error_class"))


def end_leases() -> None:
    Task.objects.update(lease_expires_at=Now() - timedelta(seconds=1))


def test_a_batch_is_held_until_there_is_room_and_no_text_is_paid_for_twice(
    claim: Callable[..., claims.Claim], space: Space, provider: FakeProvider
) -> None:
    make_tasks(5, space)
    held = claim()
    with refusing("53100"):
        thread = in_a_thread(lambda: execution.execute(held))
        wait_until(lambda: storage_probe.brake.is_on)
        assert kinds() == {("processing", 1, "")}
    thread.join()
    assert kinds() == {("completed", 1, "")}
    assert provider.stats()["texts"] == 5
    assert not storage_probe.brake.is_on


@pytest.mark.parametrize("sqlstate", ["53100", "25006", "P0001", "42501"])
def test_tasks_that_the_database_refuses_are_released_uncharged_with_the_reason(
    claim: Callable[..., claims.Claim], space: Space, held_briefly: None, sqlstate: str
) -> None:
    make_tasks(3, space)
    make_tasks(1, space, "completed")
    with refusing(sqlstate):
        settled = execution.execute(claim())
    assert (settled.retried, settled.lost) == (3, 0)
    for task in Task.objects.pending():
        assert (task.attempts, task.error_class) == (0, "storage_refused")
        assert sqlstate in task.error_message
        assert "No space left on device" in task.error_message


def test_while_it_lasts_nothing_is_claimed_and_no_provider_is_asked(
    space: Space, worker: Worker, provider: FakeProvider, held_briefly: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_breaker, "FIRST_WAIT", 0.05)
    make_tasks(3, space)
    with refusing("53100"):
        drain.drain(worker.pk, seconds=5)
        asked = provider.stats()["requests"]
        for _ in range(3):
            wait_until(lambda: not storage_probe.brake.left)  # it is tried again, and refused
            drained = drain.drain(worker.pk, seconds=5)
            assert (drained.tasks, provider.stats()["requests"]) == (0, asked)
            assert drained.wait
    Task.objects.update(scheduled_at=Now())
    wait_until(lambda: not storage_probe.brake.left)
    assert drain.drain(worker.pk, seconds=5).tasks == 3
    assert provider.stats()["texts"] == 3  # the vectors were kept
    assert kinds() == {("completed", 1, "")}


def test_a_process_that_stops_gives_back_what_it_holds(
    claim: Callable[..., claims.Claim], space: Space
) -> None:
    make_tasks(3, space)
    held = claim()
    shutdown.request()
    try:
        with refusing("53100"):
            execution.execute(held)
    finally:
        shutdown.clear()
    assert kinds() == {("pending", 0, "storage_refused")}


def test_a_request_does_not_wait_for_room(claim: Callable[..., claims.Claim], space: Space) -> None:
    make_tasks(1, space)
    began = time.monotonic()
    with refusing("53100"):
        execution.execute(claim(), 5.0)
    assert time.monotonic() - began < 60  # a worker would hold it for longer
    assert kinds() == {("pending", 0, "storage_refused")}


@pytest.mark.parametrize("is_installed", [True, False])
def test_a_save_that_embeds_in_its_request_succeeds_all_the_same(space: Space, is_installed: bool) -> None:
    article = make_article()
    with refusing("53100"):
        if is_installed:
            synchronous.embed_now([article.pk])
        else:
            synchronous.embed_without_queue([article.pk], Reason.EDIT)
    assert Task.objects.get().status == "pending"


def test_a_session_that_ends_in_the_midst_of_copy_costs_nothing(
    claim: Callable[..., claims.Claim], space: Space, provider: FakeProvider
) -> None:
    make_tasks(3, space)
    held = claim()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE SEQUENCE cuts; CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF nextval('cuts') = 2 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;"
            " PERFORM pg_sleep(0); RETURN NEW; END $$;"
            " CREATE TRIGGER cut BEFORE INSERT ON article_embeddings FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    try:
        settled = execution.execute(held)
    finally:
        take_again()
        with connection.cursor() as cursor:
            cursor.execute("DROP SEQUENCE cuts")
    assert settled.outcomes == {"embedded": 3}
    assert kinds() == {("completed", 1, "")}
    assert provider.stats()["texts"] == 3


def test_what_cannot_even_be_given_back_is_given_back_once_that_is_taken(
    claim: Callable[..., claims.Claim], space: Space, held_briefly: None, read_only: Callable[..., None]
) -> None:
    make_tasks(3, space)
    held = claim()
    read_only(True)
    settled = execution.execute(held)
    assert (settled.retried, settled.lost, len(settle_retry.owed)) == (0, 3, 1)
    with pytest.raises(DatabaseError):
        settle_retry.give_back_owed()
    assert len(settle_retry.owed) == 1
    read_only(False)
    end_leases()
    assert settle_retry.give_back_owed() == 3
    assert kinds() == {("pending", 0, "storage_refused")}
    assert "25006 read-only" in Task.objects.all()[0].error_message


def test_a_claim_that_others_have_by_now_is_not_given_back(
    claim: Callable[..., claims.Claim], space: Space, held_briefly: None, read_only: Callable[..., None]
) -> None:
    make_tasks(1, space)
    held = claim()
    read_only(True)
    execution.execute(held)
    read_only(False)
    end_leases()
    reaper.return_expired()
    claim()
    assert settle_retry.give_back_owed() == 0
    assert Task.objects.get().status == "processing"


def test_the_heartbeat_gives_back_what_is_owed(
    claim: Callable[..., claims.Claim],
    space: Space,
    held_briefly: None,
    read_only: Callable[..., None],
    settings: Settings,
) -> None:
    settings.EMBEDDING_WORKER_TIMEOUT = 60_000
    make_tasks(3, space)
    held = claim()
    read_only(True)
    execution.execute(held)
    heart = leases.LeaseRenewer(leases.Register())
    heart.start()
    read_only(False)
    try:
        wait_until(
            lambda: not settle_retry.owed and Task.objects.pending().count() == 3, what="the heartbeat"
        )
    finally:
        heart.stop()
    assert kinds() == {("pending", 0, "storage_refused")}
