"""JSON lines as a source."""

import io

import pytest

from articles.importing.entries import MAX_ENTRY_BYTES, Entry, RefusedEntry, Row, SourceUnreadable
from articles.importing.jsonl_source import read_jsonl


def entries(data: bytes) -> list[Entry]:
    return list(read_jsonl("a.jsonl", io.BytesIO(data)))


def reason(data: bytes) -> str:
    (entry,) = entries(data)
    assert isinstance(entry, RefusedEntry)
    return entry.reason


def test_each_line_is_a_row_that_knows_its_place() -> None:
    one, two = entries(
        b'{"title": "One"}\n\n{"title": "Two", "slug": "two", "content": "x", "metadata": {"a": 1}}'
    )
    assert one == Row("a.jsonl line 1", {"title": "One"}, 17)
    assert isinstance(two, Row)
    assert (two.place, two.fields["metadata"]) == ("a.jsonl line 3", {"a": 1})


def test_fields_added_by_an_export_are_ignored() -> None:
    (row,) = entries(b'{"title": "One", "version_number": 3, "created_at": "x", "updated_at": "x"}')
    assert isinstance(row, Row)
    assert row.fields == {"title": "One"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"{", "is not valid JSON: Expecting property name"),
        (b'{"title": "a"} x', "is not valid JSON: Extra data at character 16"),
        (b'{"metadata": {"a": NaN}}', "is not valid JSON: NaN is not a JSON number"),
        (b'{"metadata": {"a": ' + b"9" * 5000 + b"}}", "is not valid JSON"),
        (b"[1]", "holds a list; each line must be an object"),
        (b"null", "holds null; each line must be an object"),
        (b"12", "holds a number; each line must be an object"),
        (b"true", "holds a truth value; each line must be an object"),
        (b'{"title": "a", "body": "b"}', "has the unknown field 'body'; an article has title, content"),
        (b'{"title": "\xff"}', "is not valid UTF-8 (byte 0xff at 12)"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'"' + b"x" * MAX_ENTRY_BYTES + b'"', "the line is longer than 13,000,000 bytes"),
    ],
)
def test_a_line_that_is_not_an_article_is_refused_with_a_reason(data: bytes, expected: str) -> None:
    assert expected in reason(data)


def test_lines_after_a_refused_one_are_read() -> None:
    first, second = entries(b'{"title": \n{"title": "Fine"}\n')
    assert isinstance(first, RefusedEntry)
    assert second == Row("a.jsonl line 2", {"title": "Fine"}, 29)


@pytest.mark.parametrize("data", [b'[{"title": "a"},\n{"title": "b"}]', b'\n [\n{"title": "a"}\n]', b"[\n"])
def test_one_array_of_all_articles_is_refused_whole_with_the_way_out(data: bytes) -> None:
    with pytest.raises(
        SourceUnreadable, match=r"a\.jsonl is one JSON array; give one object a line, as `jq -c"
    ):
        entries(data)


def test_a_file_in_utf16_is_read() -> None:
    (row,) = entries('{"title": "Größe"}\n'.encode("utf-16"))
    assert isinstance(row, Row)
    assert row.fields == {"title": "Größe"}
