r"""Reads what pg_restore writes of an archive, so that no text of it needs a shell such as psql's.

pg_restore writes three sections: statements that make tables, the rows, and statements that make indexes and rules.
The rows come as COPY blocks and calls of setval. They are read here field by field, and anything else between them is
refused: no text of that section ever runs. Sources: restore_toc_entry in src/bin/pg_dump/pg_backup_archiver.c, fmtId in
src/fe_utils/string_utils.c, and for the rows "Text Format" in the documentation of COPY: a newline within a value is
written as \n, so a line is a row.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import IO, NamedTuple

from config.backups.errors import BackupError

_MAX_LINE = 1024 * 1024  # of what is not a row: the longest is a COPY that names 1,600 columns
_BLOCK = 256 * 1024
_MAX_STATEMENTS = 64 * 1024 * 1024
_NAME = rb'(?:[a-z_][a-z0-9_]*|"(?:[^"\n]|"")+")'
_COPY = re.compile(rb"COPY (%b)\.(%b) (?:\((%b(?:, %b)*)\))? ?FROM stdin;\n" % ((_NAME,) * 4))
_EACH_NAME = re.compile(_NAME)
_SEQUENCE = re.compile(
    rb"SELECT pg_catalog\.setval\('(%b)\.(%b)', (-?[0-9]{1,19}), (true|false)\);\n" % ((_NAME,) * 2)
)
_ENCODING = re.compile(rb"^SET client_encoding = '([A-Za-z0-9_]{1,40})';\n", re.MULTILINE)
# The head and tail of each section: what they set is set by the restore itself.
_AROUND = re.compile(
    rb"\A(?:--[^\n]*|SET [a-z_]+ = [a-z0-9']+;|SELECT pg_catalog\.set_config\('search_path', '', false\);"
    rb"|\\(?:un)?restrict [A-Za-z0-9]+)?\n"
)
_RESTRICT = re.compile(rb"\A(?:(?:--[^\n]*)?\n)*\\restrict ([A-Za-z0-9]+)\n")
_FROM_17 = b"SET transaction_timeout = 0;\n"
_END = b"\\.\n"


class Rows(NamedTuple):
    """Some rows in COPY's text format, whole or not, and how many of them end here."""

    number: int
    data: bytes


class Table(NamedTuple):
    """The rows of a table, to be taken before the next part."""

    schema: str
    name: str
    columns: list[str]
    rows: Iterator[Rows]


class Sequence(NamedTuple):
    """The value of a sequence."""

    schema: str
    name: str
    value: int
    is_called: bool


class Encoding(NamedTuple):
    """The encoding of all following text, by Postgres' name."""

    name: str


type Part = Table | Sequence | Encoding


def parts(section: IO[bytes]) -> Iterator[Part]:
    """The parts of the section of the rows, in order. Raises BackupError for what pg_dump never writes there."""
    while line := section.readline(_MAX_LINE):
        if found := _COPY.fullmatch(line):
            schema, table, columns = found.groups()
            names = [_unquoted(name) for name in _EACH_NAME.findall(columns or b"")]
            rows = _rows(section)
            yield Table(_unquoted(schema), _unquoted(table), names, rows)
            for _ in rows:  # none where they were taken
                pass
        elif found := _SEQUENCE.fullmatch(line):
            schema, name, value, is_called = found.groups()
            yield Sequence(_unquoted(schema), _unquoted(name), int(value), is_called == b"true")
        elif found := _ENCODING.fullmatch(line):
            yield Encoding(found[1].decode())
        elif not _AROUND.fullmatch(line):
            raise BackupError(
                f"the archive has {_shown(line)} among its rows; expected rows and values of sequences, "
                "and no large objects"
            )


def count(section: IO[bytes], schema: str) -> Counter[str]:
    """The number of rows per table of a schema in the data section. Raises BackupError as `parts` does."""
    found: Counter[str] = Counter()
    for part in parts(section):
        if isinstance(part, Table) and part.schema == schema:
            found[part.name] += sum(block.number for block in part.rows)
    return found


def statements(section: IO[bytes], *, without_17: bool) -> tuple[str, bytes]:
    """The encoding and the text of a section of statements, without psql's own commands; where `without_17`, without
    the setting that servers before Postgres 17 do not know. Raises BackupError when it is larger than 64 MiB."""
    text = section.read(_MAX_STATEMENTS + 1)
    if len(text) > _MAX_STATEMENTS:
        raise BackupError(f"the archive has more than {_MAX_STATEMENTS:,} bytes of statements")
    if restricted := _RESTRICT.match(text):
        key = restricted[1]  # pg_restore makes it at random, so that no archive can contain it
        text = text.replace(b"\\restrict " + key + b"\n", b"", 1).replace(
            b"\\unrestrict " + key + b"\n", b"", 1
        )
    if without_17:
        text = text.replace(_FROM_17, b"", 1)
    encoding = _ENCODING.search(text)
    return (encoding[1].decode() if encoding else "UTF8"), text


def _rows(section: IO[bytes]) -> Iterator[Rows]:
    """The rows up to the line that ends them, in blocks of bounded size."""
    block, number, is_new = bytearray(), 0, True
    while piece := section.readline(_BLOCK):
        if is_new and piece == _END:
            yield Rows(number, bytes(block))
            return
        is_new = piece.endswith(b"\n")
        number += is_new
        block += piece
        if len(block) >= _BLOCK:
            yield Rows(number, bytes(block))
            block, number = bytearray(), 0
    raise BackupError("the archive ends in the middle of a table's rows")


def _unquoted(name: bytes) -> str:
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise BackupError(f"the archive has the name {_shown(name)}; expected one in UTF-8") from None
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def _shown(line: bytes) -> str:
    return ascii(line[:60].decode(errors="replace"))
