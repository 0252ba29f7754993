"""Cursors for the few statements that every save or search runs: the server parses and plans them once a connection.

Django's own cursors put the values into the text, so that each statement is new to the server, which then plans longer
than it works. A plan that is kept is one for the tables as they were: a statement that reads a table which may grow
does not belong here, since a scan that was right for a page is kept while the table grows to a million rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper

_PREPARED_AFTER = 5  # times, as psycopg has it by default


@contextmanager
def cursor(*, kept: bool = True) -> Iterator[CursorWrapper]:
    """A cursor as `connection.cursor()` gives, with its errors and its log, whose values travel beside the statement.

    A repeated statement is prepared unless its plan must not be kept. Its parameters need casts if the server cannot
    infer their types.
    """
    connection.ensure_connection()
    session: Any = connection.connection
    plain: Any = psycopg.Cursor(session)
    # Only in here: else the driver would keep the text of the last hundred statements of Django's, contents included.
    session.prepare_threshold = _PREPARED_AFTER if kept else None
    try:
        with (
            connection.make_debug_cursor(plain)
            if connection.queries_logged
            else connection.make_cursor(plain) as made
        ):
            yield made
    finally:
        session.prepare_threshold = None
