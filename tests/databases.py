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
        yield address_of(own)
    finally:
        with psycopg.connect(url, autocommit=True) as session:
            _drop(session, own)


def address_of(name: str) -> str:
    """The address of a database on the tests' server."""
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def _drop(session: psycopg.Connection, name: str) -> None:
    session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
