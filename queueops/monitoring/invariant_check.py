"""Asks the database which invariants do not hold, all in one snapshot."""

from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from lib.rows_by_column import named_rows
from queueops.monitoring.invariants import INVARIANTS, Invariant

# How many broken rows of an invariant are fetched: enough to see what they have in common.
MOST_ROWS = 100


# What Python's str.strip removes, and so what the chunker takes for nothing.
_BLANK = "".join(filter(str.isspace, map(chr, range(0x3001))))


# Times are returned as text: if the schema's own check is missing, Python may be unable to represent them.
@dataclass(frozen=True)
class Breach:
    """Rows that break an invariant; `is_cut` says that there are more."""

    invariant: Invariant
    rows: list[dict[str, Any]]
    is_cut: bool = False

    @property
    def count(self) -> str:
        """In words: "3", or "100 or more"."""
        return f"{len(self.rows)} or more" if self.is_cut else str(len(self.rows))

    def __str__(self) -> str:
        return f"{self.invariant.name} ({self.count}): {self.invariant.meaning} First: {self.rows[0]}"


# An index may be what is broken, so the tables themselves are read, each once: without an index a nested loop, which
# stale statistics can bring about, would read one again and again.
_READ_TABLES = """
SELECT set_config(name, value, true) FROM (VALUES
    ('enable_indexscan', 'off'), ('enable_indexonlyscan', 'off'), ('enable_bitmapscan', 'off'),
    ('enable_nestloop', 'off'), ('jit', 'off'), ('work_mem', '64MB')
) AS chosen (name, value)
"""


def asked(at_rest: bool) -> list[Invariant]:
    """Those that hold at any time, or with `at_rest` also those that hold once all work is done."""
    return [invariant for invariant in INVARIANTS if at_rest or not invariant.at_rest]


def broken(at_rest: bool) -> list[Breach]:
    """The invariants that do not hold, with their first rows; all of them judge one snapshot, and nothing is locked.

    Inside a transaction, it is that transaction's view that is judged.
    """
    invariants = asked(at_rest)
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if is_outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        statements = [_READ_TABLES, *(f"{invariant.sql} LIMIT %(most)s" for invariant in invariants)]
        # all in one message: what so small questions cost is mostly the way there and back
        cursor.execute(";".join(statements), {"most": MOST_ROWS + 1, "blank": _BLANK})
        found = [_next_breach(cursor, invariant) for invariant in invariants]
        transaction.set_rollback(True)  # the settings end here too
    return [breach for breach in found if breach.rows]


def _next_breach(cursor: CursorWrapper, invariant: Invariant) -> Breach:
    cursor.nextset()
    rows = named_rows(cursor)
    return Breach(invariant, rows[:MOST_ROWS], len(rows) > MOST_ROWS)
