"""Faults by which a running database refuses vectors: no space, no privilege, read-only, a foreign trigger.

No text may be charged an attempt or paid for twice, health must name the cause, and work resumes by itself afterwards.
"""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from drills.faults.workers import signal_group
from drills.small_disk import SmallDisk
from drills.system_under_test import LEASE_SECONDS, System
from drills.trial_results import FaultResult

# longer than three attempts last that are charged when their lease ends
_SECONDS = 4 * LEASE_SECONDS
_SECONDS_TO_REPORT = 10.0
_SECONDS_FOR_OTHERS = 30.0
_POLL_SECONDS = 0.1
_BOOT_SECONDS = 60.0
_REFUSE = """
CREATE FUNCTION drill_refuses() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE 'No space left on device' USING ERRCODE = TG_ARGV[0]; END $$
"""
_REFUSE_ROWS = """
CREATE TRIGGER drill_refuses BEFORE INSERT ON article_embeddings FOR EACH ROW WHEN ({condition})
EXECUTE FUNCTION drill_refuses('{sqlstate}')
"""
_TAKE_ROWS = "DROP FUNCTION drill_refuses CASCADE"
# a COPY of a batch lasts a millisecond: nobody could cut it
_SLOW_ROWS = """
CREATE FUNCTION drill_refuses() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$;
CREATE TRIGGER drill_refuses BEFORE INSERT ON article_embeddings FOR EACH ROW EXECUTE FUNCTION drill_refuses()
"""
_CUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE state = 'active' AND pid <> pg_backend_pid() AND query ~ '^\\s*COPY article_embeddings'
"""
_ONE_WAITING = "SELECT max(article_id) FROM embedding_tasks WHERE status = 'pending'"
_CHARGED = """
SELECT count(*) FROM embedding_tasks
WHERE attempts > 1 OR status = 'failed' OR error_class IN ('worker_lost', 'provider_lost')
   OR id IN (SELECT task_id FROM embedding_audit_logs WHERE category = 'sweep')
"""
_EXPLAINED = """
SELECT error_message ~ 'P0001 refused by a trigger' FROM embedding_tasks WHERE article_id = {article}
"""
_UNDONE = "SELECT count(*) FROM embedding_tasks WHERE status <> 'completed'"


def no_room(system: System) -> FaultResult:
    """The table refuses every row as on a full disk."""
    return _while_refused(system, refusing_rows(system, "53100"), "53100 disk full")


def lose_privilege(system: System) -> FaultResult:
    """Nobody may write to the table of vectors."""
    return _while_refused(system, without_right(system, "INSERT", "article_embeddings"), "42501 no privilege")


def lose_privilege_on_tasks(system: System) -> FaultResult:
    """No task may be changed: nothing is claimed, renewed, settled or given back, and leases end."""
    return _while_refused(system, without_right(system, "UPDATE", "embedding_tasks"), "42501 no privilege")


def make_read_only(system: System) -> FaultResult:
    """No session may write, as on a server that a failover has made a replica of."""
    return _while_refused(system, read_only(system), "read-only (25006)")


def cut_in_copy(system: System) -> FaultResult:
    """Sessions end during COPY, repeatedly."""
    system.execute(_SLOW_ROWS)
    ends, cut = time.monotonic() + _SECONDS / 2, 0
    while time.monotonic() < ends:
        cut += int(system.value(_CUT))
        time.sleep(_POLL_SECONDS)
    system.execute(_TAKE_ROWS)
    since = time.monotonic()
    return FaultResult(since, ([] if cut else ["no session was cut"]) + _uncharged(system))


def refuse_one_text(system: System) -> FaultResult:
    """A foreign trigger refuses one article: the others must not wait for it."""
    article = system.value(_ONE_WAITING)
    with refusing_rows(system, "P0001", f"NEW.article_id = {article}"):
        broken = system.wait_or_report(
            lambda: system.value(_UNDONE) == 1, "all other texts to be embedded", _SECONDS_FOR_OTHERS
        )
        broken += system.wait_or_report(
            lambda: system.value(_EXPLAINED.format(article=article)),
            "the refused text's task to carry the reason",
            _SECONDS_TO_REPORT,
        )
    return FaultResult(time.monotonic(), broken)


def fill_disk(disk: SmallDisk) -> Callable[[System], FaultResult]:
    """The filesystem that database, broker and everything else of the installation are on is full for a while."""

    def strike(system: System) -> FaultResult:
        workers = system.kept[0].process
        signal_group(workers, signal.SIGSTOP)  # they would be done before it is full
        disk.fill()
        signal_group(workers, signal.SIGCONT)
        ends = time.monotonic() + _SECONDS
        while time.monotonic() < ends:
            disk.fill()
            time.sleep(_POLL_SECONDS)
        broken = [] if disk.is_full() else ["the disk was not full"]
        if not system.wait_or_report(system.is_at_rest, "rest", 0):
            broken.append("everything was embedded in spite of it")
        disk.clear()
        since = time.monotonic()
        for service in (system.stack.postgres, system.stack.valkey):
            if service.process.exited.is_set():
                service.start(_BOOT_SECONDS)
        return FaultResult(since, broken + _uncharged(system))

    return strike


def _while_refused(
    system: System, outage: contextlib.AbstractContextManager[None], words: str
) -> FaultResult:
    """Health must name the cause while it lasts; afterwards no text was charged, and none was paid for twice."""
    ends = time.monotonic() + _SECONDS
    with outage:
        broken = system.wait_or_report(
            lambda: words in " ".join(system.health()[1]), f"health to name {words}", _SECONDS_TO_REPORT
        )
        if system.is_at_rest():
            broken.append("everything was embedded in spite of it")
        time.sleep(max(ends - time.monotonic(), 0.0))
    since = time.monotonic()
    return FaultResult(since, broken + _uncharged(system))


def _uncharged(system: System) -> list[str]:
    """Texts that were charged an attempt for a fault of the database, as sentences."""
    system.wait(system.is_at_rest, "everything to be embedded")
    charged = system.value(_CHARGED)
    return [f"{charged} texts were charged"] if charged else []


@contextmanager
def refusing_rows(system: System, sqlstate: str, condition: str = "true") -> Iterator[None]:
    """A trigger refuses rows for which the condition holds, with this SQLSTATE."""
    system.execute(_REFUSE)
    system.execute(_REFUSE_ROWS.format(sqlstate=sqlstate, condition=condition))
    try:
        yield
    finally:
        system.execute(_TAKE_ROWS)


@contextmanager
def without_right(system: System, right: str, table: str) -> Iterator[None]:
    """Revokes the right from the owner, which holds it as other roles do, and grants it again."""
    system.execute(f"REVOKE {right} ON {table} FROM CURRENT_USER")
    try:
        yield
    finally:
        system.execute(f"GRANT {right} ON {table} TO CURRENT_USER")


@contextmanager
def read_only(system: System) -> Iterator[None]:
    """For every session."""
    with system.stack.maintenance() as session:
        session.execute("SET default_transaction_read_only = off")
        _configure(session, "on")
        try:
            yield
        finally:
            _configure(session, "off")


def _configure(session: psycopg.Connection, value: str) -> None:
    session.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
    session.execute("SELECT pg_reload_conf()")
