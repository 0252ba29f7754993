"""The lines of a file of tasks: what is taken comes out as it went in, and anything else is refused in a sentence."""

import io
import json
from typing import Any

import pytest

from queueops.operate.transfer import file_format
from queueops.operate.transfer.file_format import FORMAT, VERSION, FileRefused, as_line

HEAD = {"format": FORMAT, "version": VERSION, "exported_at": "2026-01-31T12:00:00Z"}
TASK: dict[str, Any] = {
    "id": 7,
    "article": "a-slug",
    "space": "openai/m",
    "slug": "a-slug",
    "status": "failed",
    "priority": "low",
    "attempts": 3,
    "max_attempts": 3,
    "created_at": "2026-01-31T12:00:00.123456+00:00",
    "scheduled_at": "2026-01-31T12:00:00Z",
    "processed_at": "2026-01-31T12:00:00+14:00",
    "completed_at": None,
    "lease_expires_at": None,
    "claimed_by": "",
    "source_version": None,
    "content_hash": "0123abcd-0123-4567-89ab-0123456789ab",
    "outcome": "failed",
    "error_class": "transient",
    "error_message": "é\u2028 \U0001f600",
    "metadata": {"reason": "import", "failed_attempts": [{"attempt": 1}]},
}


def test_a_line_of_a_task_is_read_as_it_was_written() -> None:
    read = file_format.task(as_line(TASK), 2)
    assert (read.id, read.error_message, read.metadata) == (7, TASK["error_message"], TASK["metadata"])
    assert (read.completed_at, read.source_version) == (None, None)


def test_a_line_has_one_end_whatever_its_texts_hold() -> None:
    line = as_line(TASK | {"error_message": "a\nb\r\n\u2028"})
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert line.isascii()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", 1),
        ("id", 2**63 - 1),
        ("slug", "s" * 200),
        ("attempts", 0),
        ("attempts", 2**31 - 1),
        ("source_version", 2**31 - 1),
        ("content_hash", None),
        ("created_at", "1000-01-01T00:00:00Z"),
        ("created_at", "2999-12-31T23:59:59.9-14:00"),
        ("metadata", {}),
        ("claimed_by", "w" * 120),
    ],
)
def test_what_the_columns_can_hold_is_taken(name: str, value: int | str | dict[Any, Any] | None) -> None:
    file_format.task(as_line(TASK | {name: value}), 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", 0),
        ("id", -1),
        ("id", 1.0),
        ("id", "7"),
        ("id", True),
        ("article", 5),
        ("article", "a\x00"),
        ("attempts", -1),
        ("attempts", 2**31),
        ("max_attempts", None),
        ("source_version", -1),
        ("priority", "urgent"),
        ("status", ""),
        ("created_at", None),
        ("created_at", ""),
        ("created_at", "2026-01-31"),
        ("created_at", "2026-01-31 12:00:00Z"),
        ("created_at", "0999-01-31T12:00:00Z"),
        ("created_at", "3000-01-31T12:00:00Z"),
        ("created_at", "2026-13-01T00:00:00Z"),
        ("created_at", "2026-01-31T24:00:01Z"),
        ("created_at", "2026-01-31T12:00:00+15:00"),
        ("created_at", "2026-01-31T12:00:00.1234567Z"),
        ("created_at", "2026-01-31T12:00:00Z\n"),
        ("created_at", "٢٠٢٦-01-31T12:00:00Z"),
        ("content_hash", "0123ABCD-0123-4567-89ab-0123456789ab"),
        ("content_hash", ""),
        ("claimed_by", "w" * 121),
        ("outcome", "o" * 17),
        ("error_class", "e" * 33),
        ("metadata", []),
        ("metadata", "{}"),
        ("metadata", {"\x00": 1}),
        ("metadata", {"a": ["b", {"c": "\x00"}]}),
    ],
)
def test_what_they_cannot_is_refused_by_its_line_and_field(name: str, value: Any) -> None:
    with pytest.raises(FileRefused, match=f"line 12 holds no task: {name}"):
        file_format.task(as_line(TASK | {name: value}), 12)


@pytest.mark.parametrize("name", TASK)
def test_a_task_that_lacks_a_field_is_refused(name: str) -> None:
    rest = {key: value for key, value in TASK.items() if key != name}
    with pytest.raises(FileRefused, match=name):
        file_format.task(as_line(rest), 2)


@pytest.mark.parametrize("line", [b"", b"\n", b"null\n", b"[]\n", b"{\n", b"\xff\n", b'{"a":' * 5_000])
def test_a_line_that_is_not_an_object_is_not_a_task(line: bytes) -> None:
    with pytest.raises(FileRefused, match="line 2 holds no task"):
        file_format.task(line, 2)


def test_the_first_line_says_what_the_file_is() -> None:
    head = file_format.head(as_line(HEAD))
    assert (head.format, head.version, head.exported_at.isoformat()) == (
        FORMAT, VERSION, "2026-01-31T12:00:00+00:00",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": "other"}, "'other'"),
        ({"format": "\x1b[31m"}, r"'\\x1b\[31m'"),
        ({"version": VERSION + 1}, f"version {VERSION + 1}"),
        ({"version": 0}, "version 0"),
        ({"version": "new"}, "first line"),
        ({"format": None}, "first line"),
        ({"exported_at": "yesterday"}, "first line"),
    ],
)
def test_a_file_of_another_kind_or_version_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(FileRefused, match=says):
        file_format.head(as_line(HEAD | changes))


def test_the_last_line_has_the_count_and_the_checksum_and_nothing_else() -> None:
    tail = file_format.tail(as_line({"tasks": 3, "sha256": "ab"}))
    assert (tail.tasks, tail.sha256) == (3, "ab")
    for line in (b"", as_line(TASK), as_line({"tasks": 3}), as_line({"tasks": 3, "sha256": "ab", "more": 1})):
        with pytest.raises(FileRefused, match="last line"):
            file_format.tail(line)


def test_lines_are_read_one_after_another_until_there_is_none() -> None:
    file = io.BytesIO(as_line({"a": 1}) + as_line({"b": 2}))
    assert [json.loads(file_format.next_line(file)) for _ in range(2)] == [{"a": 1}, {"b": 2}]
    assert file_format.next_line(file) == b""


@pytest.mark.parametrize("content", [b"{}", b"x" * (1 << 20), b"x" * (1 << 20) + b"\n"], ids=len)
def test_a_line_without_an_end_or_without_bound_is_refused(content: bytes) -> None:
    with pytest.raises(FileRefused, match="a line is incomplete"):
        file_format.next_line(io.BytesIO(content))
