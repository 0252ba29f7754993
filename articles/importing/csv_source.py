"""Articles from a CSV file with a header: title, content and slug columns, every other column goes to metadata."""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from articles.importing import files
from articles.importing.csv_dialect import Dialect, header_of, separator_of
from articles.importing.encodings import in_utf8, with_line_feeds
from articles.importing.entries import MAX_ENTRY_BYTES, Entry, RefusedEntry, Row, Source, SourceUnreadable

_OWN_COLUMNS = ("title", "content", "slug")


@dataclass(slots=True)
class Record:
    """The lines of one CSV row: a quoted cell may hold line ends."""

    first_line: int
    last_line: int
    lines: list[bytes] | None  # None where the row is longer than an entry may be
    position: int
    size: int = 0
    closed: bool = True  # False when the file ended inside a quoted cell

    @property
    def data(self) -> bytes | None:
        return None if self.lines is None else b"\n".join(self.lines)

    def add(self, line: files.Line) -> None:
        """Takes one more line; a list of lines, since joining them one by one would copy the row each time."""
        self.last_line, self.position = line.number, line.position
        self.size += 1 + len(line.text or b"")
        if line.text is None or self.size > MAX_ENTRY_BYTES:
            self.lines = None
        elif self.lines is not None:
            self.lines.append(line.text)


def open_csv(path: str, encoding: str | None = None, id_field: str = "id") -> Source:
    """The articles of a CSV file, "-" for standard input. Raises SourceUnreadable."""
    name, stream, size = files.open_file(path)
    return Source(
        name,
        read_csv(name, stream, encoding, id_field),
        size,
        lambda: read_csv(name, files.from_start(stream), encoding, id_field),
    )


def read_csv(
    name: str, stream: BinaryIO, encoding: str | None = None, id_field: str = "id"
) -> Iterator[Entry]:
    """One entry a row below the header; its identity is its cell in the column `id_field`, if it has one.
    Raises SourceUnreadable, on the first entry, for a header that is none."""
    csv.field_size_limit(
        MAX_ENTRY_BYTES
    )  # the module's own limit of 131,072 characters is less than an article's
    with stream:
        lines = files.lines(with_line_feeds(in_utf8(stream, encoding)))
        dialect, columns = _header(name, lines)
        for record in records(lines, dialect):
            data = record.data
            is_blank = data is not None and not data.strip() and record.closed
            if not is_blank and (entry := _entry(name, record, data, dialect, columns, id_field)):
                yield entry


def records(lines: Iterator[files.Line], dialect: Dialect) -> Iterator[Record]:
    """Joins lines to rows; a row that is too long is read to its end, so that the next one is found."""
    record: Record | None = None
    quoted = False
    for line in lines:
        record = record or Record(line.number, line.number, [], line.position)
        record.add(line)
        if line.text is None:
            quoted ^= line.quotes % 2 == 1
        else:
            quoted = dialect.quoted_after(line.text, quoted)
        if not quoted:
            yield record
            record = None
    if record is not None:
        record.closed = False
        yield record


def _header(name: str, lines: Iterator[files.Line]) -> tuple[Dialect, list[str]]:
    """The first line that is not blank; before it, Excel may name the separator."""
    separator = None
    for line in lines:
        text = "" if line.text is None else files.decoded(line.text, f"{name} line {line.number:,}", 0)
        if isinstance(text, RefusedEntry):
            raise SourceUnreadable(str(text))
        if line.text is None or (text.strip() and (separator or not separator_of(text))):
            dialect, columns = header_of(name, line, text, separator)
            return dialect, _named(name, columns)
        separator = separator or separator_of(text)
    raise SourceUnreadable(f"{name} has no header; its first line must name the columns, title among them")


def _named(name: str, columns: list[str]) -> list[str]:
    """The columns without those that a spreadsheet adds at the end of each row. Raises SourceUnreadable."""
    columns = [column.lower() if column.lower() in _OWN_COLUMNS else column for column in columns]
    while columns[-1] == "":
        columns.pop()
    _check_columns(name, columns)
    return columns


def _check_columns(name: str, columns: list[str]) -> None:
    if "" in columns:
        raise SourceUnreadable(f"{name}: column {columns.index('') + 1} has no name; name it in the header")
    if doubled := sorted(column for column, times in Counter(columns).items() if times > 1):
        raise SourceUnreadable(f"{name}: the header names the column {doubled[0][:60]!a} twice")


def _entry(
    name: str, record: Record, data: bytes | None, dialect: Dialect, columns: list[str], id_field: str
) -> Entry | None:
    """The row or its refusal; None for a row of empty cells."""
    place = f"{name} line {record.first_line:,}"
    if not record.closed:
        reason = f"a quoted cell is never closed; everything up to line {record.last_line:,} was taken for its text"
        return RefusedEntry(place, reason, record.position)
    if data is None:
        return files.too_long(place, "the row", record.position)
    text = files.decoded(data, place, record.position)
    if isinstance(text, RefusedEntry):
        return text
    try:
        cells = dialect.cells(text)
    except csv.Error as error:
        return RefusedEntry(place, f"is not valid CSV: {error}", record.position)
    if not any(cell.strip() for cell in cells):
        return None
    if len(cells) < len(columns) or any(cell.strip() for cell in cells[len(columns) :]):
        reason = f"has {len(cells):,} cells where the header names {len(columns):,} columns"
        return RefusedEntry(place, reason, record.position)
    named = dict(zip(columns, cells, strict=False))
    return Row(place, _fields(named), record.position, path=named.get(id_field, "").strip())


def _fields(cells: dict[str, str]) -> dict[str, object]:
    """Own columns as they are (an empty slug is none), the others as metadata where they hold something."""
    fields: dict[str, object] = {key: cells.pop(key) for key in _OWN_COLUMNS if key in cells}
    if not fields.get("slug"):
        fields.pop("slug", None)
    fields["metadata"] = {key: value for key, value in cells.items() if value}
    return fields
