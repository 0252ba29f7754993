"""Reads the SQL script into which pg_restore turns an archive: which of its lines are rows, and of which table."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

_COPY = re.compile(rb'COPY (?:"[^"]+"|\w+)\.(?:"([^"]+)"|(\w+)) \(.*\) FROM stdin;\n')
_END = b"\\.\n"


def scan(lines: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Each line with the table whose row it is; "" for what is no row."""
    table = ""
    for line in lines:
        if table and line != _END:
            yield table, line
            continue
        yield "", line
        found = None if table else _COPY.fullmatch(line)
        table = (found[1] or found[2]).decode() if found else ""


def rows(lines: Iterable[bytes]) -> Counter[str]:
    """How many rows the script has for each table."""
    return Counter(table for table, _ in scan(lines) if table)
