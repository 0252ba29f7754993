"""The rows of worker processes, and the brake they hold."""

import pytest
from django.db import connection

from queueops.models import Worker, worker_registry
from tests.queueops.factories import make_worker

pytestmark = pytest.mark.django_db


def test_a_new_worker_runs() -> None:
    assert worker_registry.register().is_running


def test_a_worker_that_starts_while_the_brake_is_on_does_not_run() -> None:
    make_worker(is_running=False)
    assert not worker_registry.register().is_running


def test_a_row_that_an_operator_inserted_with_an_id_does_not_interfere() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('embedding_worker_status', 'id'))")
        (next_id,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO embedding_worker_status (id, is_running) VALUES (%s, false)"
            " ON CONFLICT (id) DO UPDATE SET is_running = false",
            [next_id + 1],
        )
    assert worker_registry.register().pk == next_id + 2


def test_a_beat_says_whether_the_row_still_stands() -> None:
    worker = make_worker()
    assert worker_registry.beat(worker.pk)
    worker.delete()
    assert not worker_registry.beat(worker.pk or 0)


def test_a_worker_that_ends_takes_its_row_along_unless_it_holds_the_brake() -> None:
    running, stopped = make_worker(), make_worker(is_running=False)
    worker_registry.unregister(running.pk)
    worker_registry.unregister(stopped.pk)
    assert list(Worker.objects.values_list("pk", flat=True)) == [stopped.pk]


def test_batches_add_up() -> None:
    worker = make_worker()
    worker_registry.note_batch(worker.pk, done=10, failed=1)
    worker_registry.note_batch(worker.pk, done=5, failed=0)
    worker.refresh_from_db()
    assert (worker.tasks_done, worker.tasks_failed) == (15, 1)
    assert worker.last_claim_at is not None
