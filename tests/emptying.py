"""Empties the database after a test that commits: the tables that were written to, not, as Django does, all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models.signals import post_migrate
from django.test import TransactionTestCase
from psycopg import sql

# what every migrated database holds, and no test writes
_KEPT = {"django_content_type", "auth_permission"}
# A table that was not written to since it was last emptied has no page. One that is empty by now may have statistics.
_WRITTEN = "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND pg_relation_size(oid) > 0"
_MADE_ANEW = ("embeddings", "queueops")  # the first space, and the row of the queue's state


@contextmanager
def quickly_emptied() -> Iterator[None]:
    """Django truncates each table and asks for each permission anew, which takes longer than most tests do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _empty)
        yield


def _empty(_: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_WRITTEN, [connection.introspection.django_table_names(only_existing=True)])
        written = sorted({name for (name,) in cursor.fetchall()} - _KEPT)
        if written:
            names = sql.SQL(", ").join(map(sql.Identifier, written))
            cursor.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
    for label in _MADE_ANEW:
        app = apps.get_app_config(label)
        post_migrate.send(app, app_config=app, verbosity=0, interactive=False, using="default")
