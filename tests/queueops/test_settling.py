"""A batch that is paid for is written, even when the database goes away on the way."""

import threading

import pytest
from django.db import connection, transaction

from articles.models import Article
from queueops import claims, execution
from queueops.models import Task
from tests.queueops.making import make_tasks
from tests.waiting import wait_until

TERMINATE_WAITING = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'
"""


def terminated() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_clear_snapshot()"
        )  # within a transaction it shows the first look again
        cursor.execute(TERMINATE_WAITING)
        return int(cursor.fetchone()[0])


def session_may_idle() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        return str(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_freezes_while_it_settles_loses_its_locks_with_its_lease(space, worker, settings):
    settings.EMBEDDING_WORKER_TIMEOUT = 60_000
    make_tasks(1, space)
    claim = claims.claim_due(space, 1, worker.pk, worker.name)
    with transaction.atomic():
        execution.execute(claim)
        assert session_may_idle() == "1min"
    assert session_may_idle() == "0"


@pytest.mark.django_db(transaction=True)
def test_a_settle_whose_connection_was_cut_is_made_again(space, worker, provider):
    make_tasks(3, space)
    claim = claims.claim_due(space, 3, worker.pk, worker.name)
    settled = []

    def execute() -> None:
        settled.append(execution.execute(claim))
        connection.close()

    thread = threading.Thread(target=execute)
    with transaction.atomic():
        list(Article.objects.select_for_update())
        thread.start()
        wait_until(terminated, what="the settle to wait for the articles")
    thread.join()
    assert settled[0].outcomes == {"embedded": 3}
    assert Task.objects.filter(status="completed", attempts=1).count() == 3
    assert provider.stats()["requests"] == 1
