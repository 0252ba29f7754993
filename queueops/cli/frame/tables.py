"""Tables and lines for people. Values are escaped: no text of a user can move the cursor, set colours, change the
writing direction or hide."""

from collections.abc import Iterable, Sequence

from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lib.visible import one_line

_WIDE = 10_000  # wider than any table


def plain(value: object) -> str:
    """A value on one line, with hidden characters escaped; empty for None."""
    return "" if value is None else one_line(str(value))


def line(value: object, style: str = "") -> Text:
    """A line of text, in a style where there are colours."""
    return Text(plain(value), style=style)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()) -> Table:
    """A table without borders; a cell is any value, or a styled Text. Columns in `right` are aligned right; on a narrow
    terminal the last two columns wrap."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        folds = head in heads[-2:]
        made.add_column(
            head, justify="right" if head in right else "left", overflow="fold", no_wrap=not folds
        )
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else line(cell) for cell in row))
    return made


def fitting(
    console: Console, heads: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[str] = ()
) -> RenderableType:
    """A table if it fits the console; else each row as a record, the first cell on its own line and the others below it
    with their names. Nothing is cut, so that ids can be copied."""
    made = table(heads, rows, right)
    unbounded = console.options.update(max_width=_WIDE, width=_WIDE)
    if Measurement.get(console, unbounded, made).maximum <= console.width:
        return made
    return Group(*(part for row in rows for part in _record(heads, row)))


def _record(heads: Sequence[str], row: Sequence[object]) -> list[RenderableType]:
    first = row[0] if isinstance(row[0], Text) else line(row[0], "bold")
    first.overflow, first.no_wrap = "ignore", True
    return [first, Padding(facts(zip(heads[1:], row[1:], strict=True)), (0, 0, 1, 2))]


def facts(pairs: Iterable[tuple[str, object]]) -> Table:
    """Names with their values, one pair per line."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for name, value in pairs:
        made.add_row(name, value if isinstance(value, Text) else line(value))
    return made
