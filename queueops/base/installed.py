"""Whether the queue's tables are in the database: without them saves embed in the request, and nothing is queued."""

import time
from typing import Any

from django.db import connection

from lib.manage_command import manage
from lib.timed_cache import TimedCache

# A view over the tables: it is dropped before them, and a plain DROP TABLE of one of them fails while it exists.
PUT_UP = """
CREATE OR REPLACE VIEW queue_is_installed AS
SELECT true AS it_is FROM queue_state, embedding_tasks, embedding_worker_status, provider_states
"""
_TAKE_DOWN = "DROP VIEW IF EXISTS queue_is_installed"
_IS_UP = "SELECT to_regclass('queue_is_installed') IS NOT NULL"
_HAS_TABLES = "SELECT to_regclass('queue_state') IS NOT NULL AND to_regclass('provider_states') IS NOT NULL"
# the longest delay until a change is seen
_SECONDS = 1.0
# and until processes that checked just before are done with the tables
_UNTIL_ALL_HAVE_SEEN = _SECONDS + 1.0
_FIRST_MIGRATION = ("queueops", "0001_initial")


def missing() -> str:
    """The sentence about a queue that is not installed."""
    return (
        f"the queue is not installed: its tables are not in the database; to create them: {manage('migrate')}"
    )


def is_there() -> bool:
    """Whether the queue is installed; checked in the database once per second."""
    return _remembered.get()


def look() -> bool:
    """Whether the queue is installed, checked in the database now."""
    with connection.cursor() as cursor:
        cursor.execute(_IS_UP)
        return bool(cursor.fetchone()[0])


_remembered = TimedCache(look, _SECONDS)


def forget() -> None:
    """Checks the database at the next call (after a change by this process)."""
    _remembered.forget()


def before_migrate(plan: Any = (), **_: Any) -> None:
    """Listens to pre_migrate: before the tables are dropped, waits until every process has seen it and finished its
    work, so that no save fails on a table just dropped.
    """
    if (
        any(backwards and (step.app_label, step.name) == _FIRST_MIGRATION for step, backwards in plan)
        and look()
    ):
        with connection.cursor() as cursor:
            cursor.execute(_TAKE_DOWN)
        forget()
        time.sleep(_UNTIL_ALL_HAVE_SEEN)


def after_migrate(**_: Any) -> None:
    """Listens to post_migrate: restores the view if a removal was interrupted before the first table was dropped."""
    with connection.cursor() as cursor:
        cursor.execute(_HAS_TABLES)
        if cursor.fetchone()[0] and not look():
            cursor.execute(PUT_UP)
    forget()
