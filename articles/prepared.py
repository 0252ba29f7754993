"""Cursors for the few statements that every save runs: the server parses and plans them once a connection.

Django's own cursors put the values into the text, so that each statement is new to the server, which then plans longer
than it works. A plan that is kept is one for the tables as they were: a statement that reads a table which may grow
does not belong here, since a scan that was right for a page is kept while the table grows to a million rows.
"""

from typing import Any

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper


def cursor() -> CursorWrapper:
    """A cursor as `connection.cursor()` gives, with its errors and its log, whose values travel beside the statement.

    A statement that repeats is prepared (after `prepare_threshold` times, config/settings.py). Its parameters need
    casts wherever the server could not tell their types.
    """
    connection.ensure_connection()
    plain: Any = psycopg.Cursor(connection.connection)
    return connection.make_debug_cursor(plain) if connection.queries_logged else connection.make_cursor(plain)
