"""Lines and files: bounded reading, encodings, places."""

import io
from pathlib import Path

import pytest

from articles.importing import files
from articles.importing.entries import RefusedEntry, SourceUnreadable


def texts(data: bytes, limit: int = 10) -> list[bytes | None]:
    return [line.text for line in files.lines(io.BytesIO(data), limit)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"one\ntwo\n", [b"one", b"two"]),
        (b"one\r\ntwo", [b"one", b"two"]),
        (b"\n\nx\n", [b"", b"", b"x"]),
        (b"0123456789\nx\n", [b"0123456789", b"x"]),
        (b"0123456789", [b"0123456789"]),
        (b"0123456789a\nx\n", [None, b"x"]),
        (b"0123456789a", [None]),
        (b"\xef\xbb\xbfone\n", [b"one"]),
    ],
)
def test_lines_lose_their_ends_and_over_long_ones_their_text(
    data: bytes, expected: list[bytes | None]
) -> None:
    assert texts(data) == expected


def test_an_over_long_line_is_never_held_whole() -> None:
    class Endless(io.RawIOBase):
        """Half a gigabyte in one line, which notes the largest piece it was asked for."""

        left = 512 << 20
        largest = 0

        def readline(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert size > 0
            self.largest = max(self.largest, size)
            piece = min(size, self.left)
            self.left -= piece
            return b"x" * piece

    stream = Endless()
    (line,) = files.lines(stream, 1000)  # type: ignore[arg-type]
    assert line.text is None
    assert line.position == 512 << 20
    assert stream.largest <= 1 << 20


def test_positions_count_every_byte_that_was_read() -> None:
    assert [line.position for line in files.lines(io.BytesIO(b"one\r\n0123456789abc\nx"), 10)] == [5, 19, 20]


def test_a_second_reader_starts_at_the_start_and_leaves_the_place_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\ntwo\n")
    _, stream, _ = files.open_file(str(tmp_path / "a"))
    with stream:
        assert stream.readline() == b"one\n"
        with files.from_start(stream) as second:
            assert second.read() == b"one\ntwo\n"
        assert stream.readline() == b"two\n"


def test_a_pipe_can_be_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"one\n")))
    name, stream, size = files.open_file("-")
    with stream:
        assert (name, stream.read(), size) == ("standard input", b"one\n", None)
        with files.from_start(stream) as second:
            assert second.read() == b"one\n"


def test_bytes_that_are_not_utf8_are_named() -> None:
    refusal = files.decoded("Café".encode("latin-1"), "a.csv line 3", 7)
    assert isinstance(refusal, RefusedEntry)
    assert refusal.position == 7
    assert str(refusal) == (
        "a.csv line 3: is not valid UTF-8 (byte 0xe9 at 4); save the file as UTF-8, or name its encoding, "
        "for instance --encoding windows-1252"
    )


def test_a_missing_file_and_a_folder_are_distinguished(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match=r"cannot read .*nothing\.jsonl: No such file or directory"):
        files.open_file(str(tmp_path / "nothing.jsonl"))
    with pytest.raises(SourceUnreadable, match="Is a directory"):
        files.open_file(str(tmp_path))


def test_a_refusal_is_one_line_that_any_terminal_can_show() -> None:
    assert str(RefusedEntry("a\x1b[2Jb\n.md", "no\udc80")) == "a\\x1b[2Jb .md: no\\udc80"
