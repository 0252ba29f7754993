"""Finds locks on our tables that block readers or writers: the session that holds each, and for how long."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from django.db import connection

# Short locks are normal: VACUUM, a migration and a restore take some.
_SECONDS = 1.0
_READERS_TOO, _ROWS = "AccessExclusiveLock", "rows"
# A session of another role hides the start of its transaction: then the longest wait for its lock is used, or the time
# since we have seen it. A lock still being waited for blocks all later ones, so it counts like one that is held. Rows
# are waited for through the transaction that holds them; the waiter's own lock on the row names the table. The second
# to wait for a row waits for the first, which holds nothing by itself: only the session at the end of the chain counts.
_HELD = """
WITH of_tables AS (
    SELECT DISTINCT ON (c.relname, l.pid)
           c.relname, l.pid, l.mode,
           CASE WHEN l.granted THEN NULL ELSE l.waitstart END AS asked_at, waiting.since, waiting.count::int AS waiting,
           pg_blocking_pids(l.pid) AS behind
    FROM pg_locks l
    JOIN pg_class c ON c.oid = l.relation
    CROSS JOIN LATERAL (
        SELECT count(*) AS count, min(w.waitstart) AS since FROM pg_locks w
        WHERE w.locktype = 'relation' AND w.database = l.database AND w.relation = l.relation
          AND NOT w.granted AND w.pid <> l.pid) waiting
    WHERE l.locktype = 'relation' AND l.pid IS DISTINCT FROM pg_backend_pid()
      AND l.mode IN ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND c.relnamespace = to_regnamespace(current_schema()::text) AND c.relkind IN ('r', 'p')
    ORDER BY c.relname, l.pid, l.mode
), of_rows AS (
    SELECT DISTINCT ON (c.relname, holder.pid)
           c.relname, holder.pid, 'rows' AS mode, NULL::timestamptz AS asked_at, w.waitstart AS since, 1 AS waiting,
           pg_blocking_pids(holder.pid) AS behind
    FROM pg_locks w
    CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS holder (pid)
    JOIN pg_locks place ON place.pid = w.pid AND place.locktype = 'tuple'
    JOIN pg_class c ON c.oid = place.relation
    WHERE w.locktype IN ('transactionid', 'tuple') AND NOT w.granted
      AND w.waitstart < clock_timestamp() - interval '1 second'
      AND c.relnamespace = to_regnamespace(current_schema()::text)
    ORDER BY c.relname, holder.pid, w.waitstart
)
SELECT f.relname, f.pid, coalesce(a.application_name, ''), f.mode,
       extract(epoch FROM clock_timestamp() - coalesce(f.asked_at, a.xact_start, f.since))::float8, f.waiting, f.behind,
       CASE WHEN f.behind = '{}' THEN '{}' ELSE ARRAY(
           WITH RECURSIVE chain (pid) AS (
               SELECT unnest(f.behind) UNION SELECT unnest(pg_blocking_pids(pid)) FROM chain WHERE pid <> 0)
           SELECT pid FROM chain WHERE pid = 0 OR pg_blocking_pids(pid) = '{}' ORDER BY pid) END AS roots
FROM (SELECT * FROM of_tables UNION ALL SELECT * FROM of_rows) f
LEFT JOIN pg_stat_activity a ON a.pid = f.pid
WHERE f.mode <> 'rows' OR f.behind = '{}'
ORDER BY f.relname, f.pid
"""


@dataclass(frozen=True)
class TableLock:
    """A lock that others wait for, or will. `pid` is None or 0 for a prepared transaction; `seconds` is how long at
    most it has been held, or asked for, None where the server hides it; `behind` are the sessions it waits for, `roots`
    those at the end of that chain, which do not wait themselves."""

    table: str
    pid: int | None
    application: str
    mode: str
    seconds: float | None
    waiting: int
    behind: list[int]
    roots: list[int] = field(default_factory=list)

    @property
    def program(self) -> str:
        """The program that holds it, without its host, safe to publish."""
        if not self.pid:
            return "a prepared transaction"
        named = "".join(char for char in self.application.partition("@")[0] if char.isprintable())
        return named[:40] or "a session"

    @property
    def holder(self) -> str:
        """The program with its server process id."""
        return f"{self.program} (pid {self.pid})" if self.pid else self.program

    @property
    def is_of_rows(self) -> bool:
        """Whether only some rows are locked."""
        return self.mode == _ROWS

    @property
    def what(self) -> str:
        """The locked object: the table, the table for writers, or rows of it."""
        if self.is_of_rows:
            return f"rows of {self.table}"
        return (
            f"the table {self.table}" if self.mode == _READERS_TOO else f"for writers, the table {self.table}"
        )


class _Ages:
    """Remembers since when this process has seen a lock whose age the server hides."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int | None], float] = {}

    def added(self, locks: Sequence[TableLock]) -> list[TableLock]:
        """The locks with their ages as far as known."""
        now, before = time.monotonic(), self._seen
        self._seen = {(lock.table, lock.pid): before.get((lock.table, lock.pid), now) for lock in locks}
        return [
            lock
            if lock.seconds is not None
            else replace(lock, seconds=now - self._seen[lock.table, lock.pid])
            for lock in locks
        ]


_ages = _Ages()


def held(*, at_once: bool = False) -> tuple[TableLock, ...]:
    """The locks that have been held for a second or more; `at_once`: all of them."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD)
        found = _ages.added([TableLock(*row) for row in cursor.fetchall()])
    return tuple(lock for lock in found if at_once or (lock.seconds or 0.0) >= _SECONDS)
