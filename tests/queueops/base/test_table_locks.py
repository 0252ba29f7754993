"""Locks on tables, and what health reports of them."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from embeddings.models import Space
from queueops.base import table_locks
from queueops.base.table_locks import TableLock
from queueops.monitoring import health, health_sentences, snapshot
from queueops.monitoring.health import Condition
from tests.queueops.cli_runner import queue_admin
from tests.queueops.factories import make_article, make_space, make_worker
from tests.table_locks import STRANGER, locked, rows_locked, waiting_at_most
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def space() -> Space:
    make_worker()
    return make_space()


def lock(**fields: Any) -> TableLock:
    usual: dict[str, Any] = {
        "table": "articles", "pid": 12, "application": "psql", "mode": "AccessExclusiveLock", "seconds": 42.0,
        "waiting": 3, "behind": [],
    }  # fmt: skip
    return TableLock(**usual | fields)


def test_a_lock_is_found_with_its_holder_once_it_has_been_held_for_a_second(space: Space) -> None:
    with locked("embedding_audit_logs") as pid:
        (at_once,) = table_locks.held(at_once=True)
        (found,) = wait_until(table_locks.held)
    assert (at_once.table, at_once.pid, at_once.program) == ("embedding_audit_logs", pid, STRANGER)
    assert found.pid == pid
    assert (found.seconds or 0.0) >= 1
    assert table_locks.held(at_once=True) == ()


@pytest.mark.parametrize("mode", ["SHARE UPDATE EXCLUSIVE", "ROW EXCLUSIVE"])
def test_locks_that_block_nothing_are_not_reported(space: Space, mode: str) -> None:
    with locked("articles", mode):
        assert table_locks.held(at_once=True) == ()


def test_a_waiting_lock_is_reported_with_its_blocker(space: Space) -> None:
    with locked("articles", "ROW EXCLUSIVE") as first:
        waiting = threading.Thread(target=_lock_articles)
        waiting.start()
        (found,) = wait_until(lambda: table_locks.held(at_once=True))
        assert found.behind == [first]
    waiting.join(10)


def _lock_articles() -> None:
    with locked("articles"):
        pass


def test_rows_that_a_save_waits_for_are_reported(space: Space) -> None:
    article = make_article()
    with rows_locked("articles") as pid:
        waiting = threading.Thread(target=_touch, args=[article.pk])
        waiting.start()
        (found,) = wait_until(table_locks.held)
    waiting.join(10)
    assert (found.table, found.pid, found.is_of_rows) == ("articles", pid, True)


def test_of_sessions_that_wait_for_the_same_row_only_the_one_that_holds_it_is_reported(space: Space) -> None:
    article = make_article()
    with rows_locked("articles") as pid:
        waiting = [threading.Thread(target=_touch, args=[article.pk]) for _ in range(3)]
        for thread in waiting:
            thread.start()
        wait_until(lambda: _row_waits() == 3)
        found = wait_until(table_locks.held)
    for thread in waiting:
        thread.join(10)
    assert [(each.table, each.pid) for each in found] == [("articles", pid)]


def _row_waits() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT pid) FROM pg_locks "
            "WHERE NOT granted AND waitstart < clock_timestamp() - interval '1 s'"
        )
        return int(cursor.fetchone()[0])


def test_a_session_that_holds_a_table_and_waits_is_not_the_one_to_end(space: Space) -> None:
    """As one of ours does that waits for rows of a stranger."""
    article = make_article()
    with rows_locked("articles") as first:
        waiting = threading.Thread(target=_lock_and_touch, args=[article.pk])
        waiting.start()
        (found,) = wait_until(
            lambda: [
                lock for lock in table_locks.held(at_once=True) if lock.table == "auth_user" and lock.behind
            ]
        )
    waiting.join(10)
    assert (found.behind, found.roots) == ([first], [first])
    assert f"To end it: SELECT pg_terminate_backend({first})," in health_sentences.of_lock(found)


def _lock_and_touch(article_id: int) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE auth_user IN ACCESS EXCLUSIVE MODE")
        cursor.execute("UPDATE articles SET title = 'touched' WHERE id = %s", [article_id])
    connection.close()


def _touch(article_id: int) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE articles SET title = 'touched' WHERE id = %s", [article_id])
    finally:
        connection.close()


def test_health_is_degraded_and_the_sentence_says_how_to_end_it(space: Space) -> None:
    with locked("auth_user") as pid:
        wait_until(table_locks.held)
        judged = health.judge(snapshot.take())
    assert judged.condition == Condition.DEGRADED
    assert judged.reasons[0].startswith(f"The table auth_user is locked by {STRANGER} (pid {pid}) for ")
    assert f"SELECT pg_terminate_backend({pid})" in judged.reasons[0]


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (lock(), "The table articles is locked by psql (pid 12) for 42 s; 3 sessions wait for it."),
        (lock(mode="ShareLock", waiting=1), "For writers, the table articles is locked by psql (pid 12) for 42 s; 1 "),
        (lock(mode="rows"), "Rows of articles are locked by psql (pid 12)"),
        (lock(behind=[7, 8], waiting=0), "for 42 s, which itself waits for pid 7, 8."),
        (lock(behind=[7], roots=[5]), "7; 3 sessions wait for it. To end it: SELECT pg_terminate_backend(5),"),
        (lock(behind=[0], roots=[0]), "To end it: ROLLBACK PREPARED"),
        (lock(pid=None), "by a prepared transaction for 42 s; 3 sessions wait for it. To end it: ROLLBACK PREPARED"),
        (lock(application="vectorpress@secret-host", seconds=None), "by vectorpress (pid 12); 3"),
        (lock(application="\x1b[2J"), "by [2J (pid 12)"),
        (lock(application=""), "by a session (pid 12)"),
    ],
)  # fmt: skip
def test_a_lock_is_described_in_a_sentence(held: TableLock, words: str) -> None:
    assert words in health_sentences.of_lock(held)


def test_a_lock_of_a_quarter_of_an_hour_is_down() -> None:
    settled = snapshot.Snapshot(
        **vars(snapshot._empty()) | {"installed": True, "space": "one", "workers_alive": 1}
    )
    assert health.judge(settled).condition == Condition.OK
    held = replace(settled, locks=(lock(seconds=901.0),))
    assert health.judge(held).condition == Condition.DOWN


@pytest.mark.parametrize(
    "table", ["embedding_tasks", "embedding_spaces", "queue_state", "embedding_worker_status"]
)
def test_other_reasons_are_reported_beside_a_lock(space: Space, table: str, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with waiting_at_most(50), locked(table) as pid:
        judged = health.judge(snapshot.take_despite_locks())
    assert f"(pid {pid})" in judged.reasons[0]
    assert [words for words in judged.reasons if words.startswith("The broker")]
    assert "No worker is alive." not in judged.reasons
    assert not [words for words in judged.reasons if words.startswith("No embedding space")]


def test_the_operators_commands_name_the_lock_and_do_not_hang(space: Space) -> None:
    with locked("embedding_tasks") as pid:
        judged, status = queue_admin("health"), queue_admin("status", "--json")
        failed = queue_admin("failed")
    assert judged.code == 1
    assert f"by {STRANGER} (pid {pid})" in judged.out
    assert (status.json["partial"], status.json["worker_status"]) == (True, "unknown")
    assert failed.code == 2
    assert f"pg_terminate_backend({pid})" in failed.sentence
