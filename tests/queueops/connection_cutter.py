"""Ends a thread's database session in the middle of what it does, as a restart or a firewall does."""

import threading
from collections.abc import Callable

from django.db import connection, transaction

from tests.waiting import wait_until

_TERMINATE_WAITING = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'
"""


def cut_off[T](work: Callable[[], T], lock: str, after: Callable[[], object] | None = None) -> T:
    """What `work` answers in a thread whose session is ended when it waits for what the statement `lock` locks; that
    is locked before the work begins, or once `after` is true."""
    answers: list[T] = []

    def run() -> None:
        try:
            answers.append(work())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic(), connection.cursor() as cursor:
        if after is None:
            cursor.execute(lock)
        thread.start()
        if after is not None:
            wait_until(after)
            cursor.execute(lock)
        wait_until(_terminated, what=f"a session to wait for {lock}")
    thread.join()
    return answers[0]


def _terminated() -> int:
    with connection.cursor() as cursor:
        # within a transaction it shows the first look again
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(_TERMINATE_WAITING)
        return int(cursor.fetchone()[0])
