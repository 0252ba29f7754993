"""Databases of their own on the tests' server, for what replaces or drops tables."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from lib.scratch_databases import drop_database

_SPOIL = """
CREATE FUNCTION spoil_index(text) RETURNS void LANGUAGE sql SECURITY DEFINER AS
$$ UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass($1) $$
"""


@contextmanager
def empty_database(name: str) -> Iterator[str]:
    """The address of a new database without any table, which is dropped in the end."""
    own = f"{name}_{os.getpid()}"
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as session:
        drop_database(session, own)
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(own)))
    try:
        yield address_of(own)
    finally:
        with psycopg.connect(url, autocommit=True) as session:
            drop_database(session, own)


def spoil_index(name: str) -> None:
    """Makes an index invalid in the test's transaction, as one is whose making was cut off; only a superuser can."""
    if not (url := os.environ.get("VECTORPRESS_TEST_MAINTENANCE_URL")):
        pytest.skip("VECTORPRESS_TEST_MAINTENANCE_URL names no superuser of the tests' server")
    here = urlunsplit(urlsplit(url)._replace(path=f"/{connection.settings_dict['NAME']}"))
    with psycopg.connect(here, autocommit=True) as superuser:
        superuser.execute(_SPOIL)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT spoil_index(%s)", [name])
        finally:
            superuser.execute("DROP FUNCTION spoil_index")


def address_of(name: str) -> str:
    """The address of a database on the tests' server."""
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))
