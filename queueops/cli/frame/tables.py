"""Tables and lines for people. Values are escaped: no text of a user can move the cursor, set colours, change the
writing direction or hide."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lib.visible_text import one_line

_WIDE = 10_000  # wider than any table


def plain(value: object) -> str:
    """A value on one line, with hidden characters escaped; empty for None."""
    return "" if value is None else one_line(str(value))


def line(value: object, style: str = "") -> Text:
    """A line of text, in a style where there are colours."""
    return Text(plain(value), style=style)


@dataclass(frozen=True)
class Rows:
    """A table. Where it does not fit, each row is a record: the first cell on its own line, and the others below it
    with their names. Nothing is cut, so that ids can be copied. If it `wraps`, its last two columns do so before."""

    heads: Sequence[str]
    rows: Sequence[Sequence[object]]
    right: Sequence[str]
    wraps: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        made = self._table()
        needed = Measurement.get(console, options.update(max_width=_WIDE, width=_WIDE), made)
        if (needed.minimum if self.wraps else needed.maximum) <= options.max_width:
            yield made
        else:
            yield from (part for row in self.rows for part in _record(self.heads, row))

    def _table(self) -> Table:
        made = Table(box=None, pad_edge=False, header_style="bold")
        for head in self.heads:
            justify: JustifyMethod = "right" if head in self.right else "left"
            made.add_column(head, justify=justify, overflow="fold", no_wrap=head not in self.heads[-2:])
        for row in self.rows:
            made.add_row(*(cell if isinstance(cell, Text) else line(cell) for cell in row))
        return made


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()) -> Rows:
    """A table without borders; a cell is any value, or a styled Text. Columns in `right` are aligned right; on a narrow
    terminal the last two columns wrap."""
    return Rows(heads, list(rows), right, wraps=True)


def fitting(heads: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()) -> Rows:
    """As `table`, for rows with long cells: on a narrow terminal each is a record."""
    return Rows(heads, list(rows), right, wraps=False)


def _record(heads: Sequence[str], row: Sequence[object]) -> list[RenderableType]:
    first = row[0] if isinstance(row[0], Text) else line(row[0], "bold")
    first.overflow, first.no_wrap = "ignore", True
    return [first, Padding(facts(zip(heads[1:], row[1:], strict=True)), (0, 0, 1, 2))]


def facts(pairs: Iterable[tuple[str, object]]) -> Table:
    """Names with their values, one pair per line."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        made.add_row(name, value if isinstance(value, Text) else line(value))
    return made
