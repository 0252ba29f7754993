"""Tables and lines: what a cell holds is text, and where there is no room nothing is cut that one would copy."""

import io
import uuid
from collections.abc import Callable

import pytest
from rich.console import Console, RenderableType

from queueops.cli.frame.tables import Rows, facts, fitting, line, plain, table


def screen(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, color_system=None)


def shown(what: RenderableType, width: int = 80) -> list[str]:
    console = screen(width)
    with console.capture() as captured:
        console.print(what, crop=False)
    return [row.rstrip() for row in captured.get().splitlines()]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (0, "0"),
        (False, "False"),
        ("", ""),
        ("a\nb\r\n\tc", "a b c"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202eevil", "\\u202eevil"),
        ("a\x00b", "a\\x00b"),
        ("[bold]not markup[/bold]", "[bold]not markup[/bold]"),
    ],
)
def test_a_value_is_on_one_line_with_what_it_hides_written_out(value: str | int | None, text: str) -> None:
    assert plain(value) == text
    assert line(value, "red").plain == text


def test_a_table_has_a_head_and_a_row_for_each() -> None:
    rows: list[list[object]] = [[1, None, "x"], [10, "b", line("green", "green")]]
    assert shown(table(["id", "name", "state"], rows, right=["id"])) == [
        "id  name  state",
        " 1        x",
        "10  b     green",
    ]


def test_a_table_without_rows_is_its_head() -> None:
    assert shown(table(["a", "b"], [])) == ["a  b"]


def test_markup_in_a_cell_is_text() -> None:
    assert shown(table(["a"], [["[red]x[/red]"]]))[1] == "[red]x[/red]"


def test_where_it_is_narrow_the_last_columns_fold_and_the_first_do_not() -> None:
    slug = "a-slug-of-some-length"
    rows = shown(table(["slug", "by", "reason"], [[slug, "ada", "word " * 10]]), width=40)
    assert rows[1].startswith(slug)
    assert len(rows) > 3
    assert max(map(len, rows)) <= 40


ID = str(uuid.uuid4())
HEADS = ["operation", "verb", "reason"]


def test_a_table_that_fits_is_a_table() -> None:
    assert shown(fitting(HEADS, [[ID, "cancel", "x"]]), 200)[0].split() == HEADS


def test_one_that_does_not_is_a_record_for_each_row_and_no_id_is_cut() -> None:
    rows = shown(fitting(HEADS, [[ID, "cancel", "word " * 10], [ID, line("undo", "red"), "y"]]), 40)
    assert rows.count(ID) == 2
    assert [row.split()[0] for row in rows if row.startswith("  verb")] == ["verb", "verb"]
    assert sum("word" in row for row in rows) > 1


@pytest.mark.parametrize("width", [1, 20, 35, 36])
@pytest.mark.parametrize("made", [table, fitting])
def test_no_id_is_cut_on_a_terminal_narrower_than_it(made: Callable[..., Rows], width: int) -> None:
    assert ID in shown(made(HEADS, [[ID, "cancel", "x"]]), width)


def test_a_table_whose_first_columns_do_not_fit_is_a_record_for_each_row() -> None:
    rows = shown(table(["id", "article", "error", "when"], [[7, "a" * 50, "e", "now"]]), 40)
    assert rows[0] == "7"
    assert "".join(rows).count("a") > 50


def test_a_table_as_wide_as_the_console_still_fits() -> None:
    rows = [["a" * 10, "b"]]
    assert shown(fitting(["x", "y"], rows), 13)[0].split() == ["x", "y"]
    assert shown(fitting(["x", "y"], rows), 12)[0] == "a" * 10


def test_facts_are_names_with_their_values() -> None:
    assert shown(facts([("tokens", 12), ("cost", None), ("state", line("ok", "green"))])) == [
        "tokens  12",
        "cost",
        "state   ok",
    ]
