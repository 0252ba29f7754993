"""How long requests wait for a lock."""

import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from config import pool_check, web_sessions
from config.lock_waits import LockWaits

pytestmark = [pytest.mark.django_db, pytest.mark.process]
_ASK = """
import config.wsgi
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
    print(*cursor.fetchone())
"""


@pytest.fixture
def pooled() -> Iterator[psycopg.Connection]:
    options = {"options": "-c lock_timeout=2000"}
    with psycopg.connect(**connection.get_connection_params() | options, autocommit=True) as opened:
        yield opened


def lock_timeout(session: psycopg.Connection) -> str:
    row = session.execute("SHOW lock_timeout").fetchone()
    assert row
    return str(row[0])


def test_after_one_has_waited_in_vain_the_others_hardly_wait_until_no_lock_was_met_for_a_while(
    pooled: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = LockWaits()
    waits.apply(pooled)
    assert lock_timeout(pooled) == "2s"
    waits.shorten()
    waits.apply(pooled)
    assert lock_timeout(pooled) == "50ms"
    monkeypatch.setattr("config.lock_waits.time.monotonic", lambda: waits._until + 0.1)
    waits.apply(pooled)
    assert lock_timeout(pooled) == "2s"


def test_a_session_is_configured_once_and_before_it_is_lent(
    pooled: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = LockWaits()
    monkeypatch.setattr(pool_check, "lock_waits", waits)
    waits.shorten()
    pool_check.check(pooled)
    pooled.execute("SET lock_timeout = 77")
    pool_check.check(pooled)
    assert lock_timeout(pooled) == "77ms"


def test_a_connection_that_is_to_begin_transactions_is_left_outside_one(pooled: psycopg.Connection) -> None:
    pooled.autocommit = False
    waits = LockWaits()
    waits.shorten()
    waits.apply(pooled)
    assert pooled.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, "2s 30s"),
        ({"DATABASE_LOCK_TIMEOUT": "700", "DATABASE_STATEMENT_TIMEOUT": "0"}, "700ms 0"),
        ({"DATABASE_LOCK_TIMEOUT": "0", "DATABASE_STATEMENT_TIMEOUT": "0"}, "0 0"),
    ],
)
def test_a_web_process_bounds_its_sessions_as_the_settings_say(changes: dict[str, str], found: str) -> None:
    environment = os.environ | {"DATABASE_POOL": "1"} | changes
    ended = subprocess.run(
        [sys.executable, "-c", _ASK],
        capture_output=True,
        text=True,
        env=environment,
        cwd=settings.BASE_DIR,
        check=True,
    )
    assert ended.stdout.strip() == found


def test_what_the_address_says_of_options_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, str] = {"options": "-c lock_timeout=9000"}
    monkeypatch.setitem(settings.DATABASES, "default", {"OPTIONS": options})
    web_sessions.bound()
    assert options["options"] == "-c lock_timeout=2000 -c statement_timeout=30000 -c lock_timeout=9000"
