"""CSV as a source."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from articles.importing.csv_source import read_csv
from articles.importing.entries import MAX_ENTRY_BYTES, Entry, RefusedEntry, Row, SourceUnreadable


def entries(data: str | bytes) -> list[Entry]:
    encoded = data.encode() if isinstance(data, str) else data
    return list(read_csv("a.csv", io.BytesIO(encoded)))


def rows(data: str | bytes) -> list[dict[str, object]]:
    found = entries(data)
    assert all(isinstance(entry, Row) for entry in found), found
    return [entry.fields for entry in found if isinstance(entry, Row)]


def reasons(data: str | bytes) -> list[str]:
    return [str(entry) for entry in entries(data) if isinstance(entry, RefusedEntry)]


def test_columns_beyond_title_content_and_slug_become_metadata() -> None:
    assert rows("Title,content,slug,lang,note\nOne,Text,one,en,\n") == [
        {"title": "One", "content": "Text", "slug": "one", "metadata": {"lang": "en"}}
    ]


def test_an_empty_slug_is_none() -> None:
    assert rows("title,slug\nOne,\n") == [{"title": "One", "metadata": {}}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_commas_semicolons_and_tabs_part_the_columns(delimiter: str) -> None:
    assert rows(f"title{delimiter}content\nOne{delimiter}a b\n")[0]["content"] == "a b"


def test_a_quoted_cell_may_hold_lines_quotes_and_commas() -> None:
    first, second = entries('title,content\n"One","a ""b"",\nc\n\nd"\nTwo,x\n')
    assert isinstance(first, Row)
    assert first.fields["content"] == 'a "b",\nc\n\nd'
    assert second == Row("a.csv line 6", {"title": "Two", "content": "x", "metadata": {}}, 42)


def test_a_cell_larger_than_the_csv_module_takes_by_itself_is_read() -> None:
    assert rows("title,content\nOne," + "x" * 500_000 + "\n")[0]["content"] == "x" * 500_000


def test_empty_lines_are_not_rows() -> None:
    assert len(rows("title\n\nOne\n\n\nTwo\n")) == 2


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("title,content\nOne\n", "a.csv line 2: has 1 cells where the header names 2 columns"),
        ("title,content\nOne,a,b\n", "a.csv line 2: has 3 cells where the header names 2 columns"),
        (b"title\nCaf\xe9\n", "a.csv line 2: is not valid UTF-8 (byte 0xe9 at 4)"),
        ('title\nOne\n"Two\n\nx\n', "a.csv line 3: a quoted cell is never closed; everything up to line 5"),
        ("title\nOne\rTwo\n", "a.csv line 2: is not valid CSV: new-line character seen in unquoted field"),
    ],
)
def test_a_row_that_is_not_an_article_is_refused_with_a_reason(data: str | bytes, expected: str) -> None:
    assert [reason.startswith(expected) for reason in reasons(data)] == [True]


@pytest.mark.parametrize("ending", ["", '""\n'])
def test_a_row_that_is_too_long_is_refused_and_the_next_one_found(ending: str) -> None:
    long_cell = '"' + "x" * (MAX_ENTRY_BYTES + 5) + ending + '"'
    refused, fine = entries(f"title\n{long_cell}\nFine\n")
    assert isinstance(refused, RefusedEntry)
    assert "the row is longer than 13,000,000 bytes" in refused.reason
    assert isinstance(fine, Row)
    assert fine.fields["title"] == "Fine"


def test_a_row_of_many_lines_that_is_too_long_is_refused_and_the_next_one_found() -> None:
    lines = ("y" * 1_000_000 + "\n") * 14
    refused, fine = entries(f'title,content\nOne,"{lines}"\nFine,x\n')
    assert isinstance(refused, RefusedEntry)
    assert isinstance(fine, Row)
    assert fine.place == "a.csv line 17"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("", "has no header"),
        ("name,text\n", "there is no column called title; the header is 'name,text'"),
        ("title,,a\n", "column 2 has no name"),
        ("title,a,a\n", "names the column 'a' twice"),
        ("title,Title\n", "names the column 'title' twice"),
        ('title,"a\nb"\n', "a quoted column name is not closed on the first line"),
        ('"title" x,a\n', "line 1: the header is not valid CSV"),
        ("sep=;\n", "has no header"),
        ("sep=;\ntitle,content\n", "there is no column called title"),
        (b"t\x00i\x00t\x00l\x00e\x00\n\x00", "has NUL bytes; if it is UTF-16, give --encoding utf-16-le"),
        (b"\xff\xfet\x00\x00", "is not valid utf-16"),
    ],
)
def test_a_header_that_is_none_stops_the_import(data: str, expected: str) -> None:
    with pytest.raises(SourceUnreadable, match=expected):
        entries(data)


@settings(max_examples=200)
@given(st.lists(st.lists(st.text(alphabet='ab",\n ', max_size=8), min_size=2, max_size=2), max_size=6))
def test_rows_are_found_where_the_csv_module_finds_them(cells: list[list[str]]) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows([["title", "content"], *cells])
    found = [entry for entry in entries(written.getvalue()) if isinstance(entry, Row)]
    not_blank = [row for row in cells if any(cell.strip() for cell in row)]
    assert [[row.fields["title"], row.fields["content"]] for row in found] == not_blank


EXCEL = "sep=;\ntitle;content;;;\n;;;;\nOne;a, b;;;\n ; ;;;\n"
WRITTEN: dict[str, str | bytes] = {
    "old Mac": 'title,content\rOne,"a, b"\r',
    "old Mac, in UTF-16": 'title,content\rOne,"a, b"\r'.encode("utf-16"),
    "Windows": 'title,content\r\nOne,"a, b"\r\n',
    "Excel": EXCEL,
    "Excel in UTF-16": EXCEL.encode("utf-16"),
    "Excel on Windows": EXCEL.replace("\n", "\r\n").encode("utf-8-sig"),
    "an empty line before the header": '\n\ntitle,content\nOne,"a, b"\n',
    "blanks after separators": 'title, content\nOne, "a, b"\n',
    "bars": "title|content\nOne|a, b\n",
    "a comma at each end": 'title,content\nOne,"a, b",\n,,\n',
    "rows of blanks": 'title,content\n  , \n"",""\nOne,"a, b"\n',
}


@pytest.mark.parametrize("data", WRITTEN.values(), ids=WRITTEN)
def test_what_programs_write_is_read(data: str | bytes) -> None:
    assert rows(data) == [{"title": "One", "content": "a, b", "metadata": {}}]


def test_a_cell_of_an_old_mac_s_file_may_hold_lines() -> None:
    data = 'title,content\rOne,"a\nb\rc"\rTwo,x\r'
    assert [row["content"] for row in rows(data)] == ["a\nb\nc", "x"]


def test_an_encoding_that_is_named_is_read() -> None:
    data = "title,content\nCafé,“x”\n".encode("windows-1252")
    (row,) = read_csv("a.csv", io.BytesIO(data), "windows-1252")
    assert isinstance(row, Row)
    assert (row.fields["title"], row.fields["content"]) == ("Café", "“x”")


@pytest.mark.parametrize(
    "row",
    [
        r'"Back slash","say \"hi\" now"',
        r'"a\",b",x',
        r'"a\", "b\""',
        r'"A \"","B \""',
        r'"\"","\""',
        r'a "b,"c"d"',
    ],
)
def test_quotes_that_csv_does_not_know_are_refused_with_the_line(row: str) -> None:
    assert len(reasons(f"title,content\n{row}\n")) == 1
    assert reasons(f"title,content\n{row}\n")[0].startswith("a.csv line 2: ")
    assert not [entry for entry in entries(f"title,content\n{row}\n") if isinstance(entry, Row)]


@pytest.mark.parametrize(
    ("row", "content"),
    [(r'One,"C:\dir\"', "C:\\dir\\"), (r'One,5" disk', '5" disk'), (r'One,"a \""b"', 'a \\"b')],
)
def test_backslashes_of_a_text_are_kept(row: str, content: str) -> None:
    assert rows(f"title,content\n{row}\n")[0]["content"] == content
