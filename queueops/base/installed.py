"""Whether the queue's tables are in the database: without them a save embeds in its request, and nothing waits."""

import time
from typing import Any

from django.db import connection

from lib.remembered import Remembered

# A view over the tables: it goes before they do, and no plain DROP TABLE takes one of them without it.
PUT_UP = """
CREATE OR REPLACE VIEW queue_is_installed AS
SELECT true AS it_is FROM queue_state, embedding_tasks, embedding_worker_status, provider_states
"""
_TAKE_DOWN = "DROP VIEW IF EXISTS queue_is_installed"
_IS_UP = "SELECT to_regclass('queue_is_installed') IS NOT NULL"
_HAS_TABLES = "SELECT to_regclass('queue_state') IS NOT NULL AND to_regclass('provider_states') IS NOT NULL"
# a change is seen this much later at the latest
_SECONDS = 1.0
# and by then whoever has asked just before it is done with the tables
_UNTIL_ALL_HAVE_SEEN = _SECONDS + 1.0
_FIRST_MIGRATION = ("queueops", "0001_initial")

NOT_INSTALLED = "the queue is not installed: its tables are not in the database; manage.py migrate makes them"


def is_there() -> bool:
    """Whether the queue is installed; asked of the database once a second."""
    return _answer.get()


def look() -> bool:
    """Whether it is installed right now."""
    with connection.cursor() as cursor:
        cursor.execute(_IS_UP)
        return bool(cursor.fetchone()[0])


_answer = Remembered(look, _SECONDS)


def forget() -> None:
    """Asks the database at the next question (after a change by this process)."""
    _answer.forget()


def before_migrate(plan: Any = (), **_: Any) -> None:
    """Listens to pre_migrate: before the tables go, every process learns it and has ended what it had begun.

    So nobody's save meets a table that has just been dropped.
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
    """Listens to post_migrate: puts the view back where a removal was cut off before the first table went."""
    with connection.cursor() as cursor:
        cursor.execute(_HAS_TABLES)
        if cursor.fetchone()[0] and not look():
            cursor.execute(PUT_UP)
    forget()
