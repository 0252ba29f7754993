"""A scratch database beside the installation's own, and the environment of a process that uses it and nothing else."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql

from lib.scratch_databases import drop_database

SUFFIX = "_drill"
# what a process must not take over from ours: it would work with other servers, keys and limits
_NOT_OURS = ("EMBEDDING_", "OPENAI_", "OLLAMA_", "SEMANTIC_", "VECTORPRESS_")
_OPTIONS = ("sslmode", "sslrootcert", "sslcert", "sslkey")
_WIDTH = 64
_STOP_SECONDS = 5.0


def name() -> str:
    """Of the scratch database."""
    return f"{connection.settings_dict['NAME']}{SUFFIX}"


@contextlib.contextmanager
def database() -> Iterator[str]:
    """Makes the scratch database, in place of one that a killed drill left; it is dropped however this ends. Gives its
    address. Raises psycopg.Error where it cannot be made."""
    try:
        with _server() as session:
            drop_database(session, name())
            session.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(
                    sql.Identifier(name()), sql.Identifier(connection.settings_dict["USER"])
                )
            )
        yield address(connection.settings_dict)
    finally:
        with _server() as session:
            drop_database(session, name())


@contextlib.contextmanager
def provider() -> Iterator[str]:
    """A fake provider in a process of its own, while this is entered; gives its address."""
    command = [
        sys.executable,
        "-m",
        "embeddings.servers.fake_provider",
        "--port",
        "0",
        f"--dimensions={_WIDTH}",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=settings.BASE_DIR)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().removeprefix("listening on ").strip() + "/v1"
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        process.stdout.close()


def environment(database_url: str, provider_url: str) -> dict[str, str]:
    """Of a process in the scratch database: no broker, so that no worker of the installation hears of it."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_OURS)}
    return ours | {
        "ENV_FILE": "none",
        "DATA_DIR": str(settings.DATA_DIR),
        "SECRET_KEY": settings.SECRET_KEY,
        "AUTH_TOKEN": settings.AUTH_TOKEN,
        "DATABASE_URL": database_url,
        "DATABASE_POOL": "false",
        "REDIS_URL": "unix:///nowhere/there-is-no-broker-in-a-drill.sock",
        "EMBEDDING_PROVIDER": "openai",
        "EMBEDDING_MODEL": "drill",
        "EMBEDDING_DIMENSIONS": str(_WIDTH),
        "EMBEDDING_WORKER_INTERVAL": "100",
        "OPENAI_BASE_URL": provider_url,
        "LOG_LEVEL": "error",
    }


def is_here() -> bool:
    """Whether this process works in a scratch database."""
    return str(connection.settings_dict["NAME"]).endswith(SUFFIX)


def _server() -> psycopg.Connection:
    """As the role that may make databases: of the embedded server its superuser, else our own."""
    given = connection.get_connection_params()
    known = {
        key: given[key] for key in ("dbname", "host", "port", "user", "password", *_OPTIONS) if key in given
    }
    if settings.DATABASE_MAINTENANCE_ROLE:
        known["user"] = settings.DATABASE_MAINTENANCE_ROLE
    return psycopg.connect(**known, autocommit=True)


def address(given: Mapping[str, Any]) -> str:
    """Of the scratch database on the server that Django's settings of a database name."""
    who = quote(given["USER"], safe="") + (
        f":{quote(given['PASSWORD'], safe='')}" if given["PASSWORD"] else ""
    )
    options = {key: given["OPTIONS"][key] for key in ("host", *_OPTIONS) if key in given["OPTIONS"]}
    host, port = str(given["HOST"] or ""), f":{given['PORT']}" if given["PORT"] else ""
    if host.startswith("/"):
        options, host = {"host": host, **options}, ""
    query = f"?{urlencode(options, safe='/')}" if options else ""
    return f"postgresql://{who}@{host}{port}/{quote(given['NAME'] + SUFFIX)}{query}"
