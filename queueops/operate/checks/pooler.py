"""A pooler between us and Postgres: whether it leaves each connection its session, and the settings of its start."""

from collections.abc import Iterator

import psycopg
from django.db import connection

from queueops.operate.checks.finding import Finding, fail, warn

_TIMES = 3  # another client may take the session that the pooler has just got back
_SECONDS = 5
_PID = "SELECT pg_backend_pid()"
_SETTING, _VALUE = "lock_timeout", "4321ms"


def check() -> Iterator[Finding]:
    """What is wrong with it; nothing where there is none. Raises DatabaseError where the database does not answer."""
    with connection.wrap_database_errors:
        with _connection() as one:
            if one.info.backend_pid == _value(one, _PID):  # a pooler gives a number of its own
                return
            if is_shared_by_transaction(one):
                yield fail(
                    "pooler",
                    "a pooler gives each transaction another session (PgBouncer's pool_mode transaction): locks and "
                    "prepared statements, which last as long as a session, would be other clients'",
                    "Let DATABASE_URL name Postgres itself, or a pool with pool_mode = session.",
                )
                return
        yield from _settings()


def is_shared_by_transaction(one: psycopg.Connection) -> bool:
    """Whether two connections get one session of the server by turns, or this one two of them."""
    with _connection() as other:
        return any(_takes_turns(one, other) for _ in range(_TIMES))


def _takes_turns(one: psycopg.Connection, other: psycopg.Connection) -> bool:
    before = _value(one, _PID)
    with other.transaction():
        # With a session for each, the second question would wait where a pool has no more than one.
        return _value(other, _PID) == before or _value(one, _PID) != before


def _settings() -> Iterator[Finding]:
    """Web and workers bound their waits for locks at the start of a session."""
    fix = (
        "Let DATABASE_URL name Postgres itself; or set ignore_startup_parameters = options in PgBouncer, and for the "
        "role ALTER ROLE … SET lock_timeout = '5s';"
    )
    try:
        with _connection(options=f"-c {_SETTING}={_VALUE}") as session:
            limit = _value(session, f"SHOW {_SETTING}")
    except psycopg.OperationalError:
        yield fail(
            "pooler",
            "the pooler refuses the startup parameter options, by which sessions get their limits",
            fix,
        )
        return
    if limit == "0":
        yield warn(
            "pooler", "the pooler ignores the limits of a session's start: a wait for a lock has no end", fix
        )


def _connection(**more: str) -> psycopg.Connection:
    parameters = connection.get_connection_params() | {"connect_timeout": _SECONDS} | more
    found: psycopg.Connection = psycopg.connect(**parameters, autocommit=True)
    return found


def _value(session: psycopg.Connection, query: str) -> int | str:
    row = session.execute(query.encode()).fetchone()
    assert row is not None
    found: int | str = row[0]
    return found
