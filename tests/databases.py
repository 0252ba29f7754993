"""Databases of their own on the tests' server, for what replaces or drops tables."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql


@contextmanager
def empty_database(name: str) -> Iterator[str]:
    """The address of a new database without any table, which is dropped in the end."""
    own = f"{name}_{os.getpid()}"
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as session:
        _drop(session, own)
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(own)))
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{own}"))
    finally:
        with psycopg.connect(url, autocommit=True) as session:
            _drop(session, own)


def _drop(session: psycopg.Connection, name: str) -> None:
    session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
