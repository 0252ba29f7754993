"""Opens files and reads them in bounded pieces: no line, however long, is ever held whole."""

import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from articles.importing.entries import MAX_ENTRY_BYTES, RefusedEntry, SourceUnreadable

_UTF8_MARK = b"\xef\xbb\xbf"
_SKIP_STEP = 1 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end; `text` is None where the line is longer than an entry may be."""

    number: int
    text: bytes | None
    position: int  # bytes read so far, this line included
    quotes: int = 0  # how many '"' a line without text held: all that a CSV reader needs to find the next row


def open_file(path: str) -> tuple[str, BinaryIO, int | None]:
    """The name to show, a binary stream and its size in bytes; "-" is standard input. What can be read only once, as a
    pipe, is copied to a temporary file; its size counts as unknown.

    Raises SourceUnreadable with the reason.
    """
    if path == "-":
        return "standard input", _copied(sys.stdin.buffer), None
    try:
        stream = Path(path).open("rb")  # noqa: SIM115 (the reader of the entries closes it)
    except OSError as error:
        raise SourceUnreadable(f"cannot read {path}: {error.strerror}") from error
    status = os.fstat(stream.fileno())
    if stat.S_ISREG(status.st_mode):
        return Path(path).name, stream, status.st_size
    with stream:
        return Path(path).name, _copied(stream), None


def from_start(stream: BinaryIO) -> BinaryIO:
    """A second reader of an open file, which leaves the place of the first; the first must stay open meanwhile."""
    return io.BufferedReader(_SecondReader(stream.fileno()))


class _SecondReader(io.RawIOBase):
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = os.pread(self._descriptor, len(buffer), self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _copied(stream: BinaryIO) -> BinaryIO:
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        return os.fdopen(os.dup(copy.fileno()), "rb")


def lines(stream: BinaryIO, limit: int = MAX_ENTRY_BYTES) -> Iterator[Line]:
    """The stream's lines, numbered from 1; lines longer than `limit` bytes are skipped over in small steps."""
    number = position = 0
    while piece := stream.readline(limit + 1):
        number += 1
        position += len(piece)
        if len(piece) > limit and not piece.endswith(b"\n"):
            skipped, quotes = _skip_line(stream)
            position += skipped
            yield Line(number, None, position, quotes + piece.count(b'"'))
        else:
            text = piece.rstrip(b"\r\n")
            yield Line(number, _without_mark(text) if number == 1 else text, position)


def decoded(data: bytes, place: str, position: int, encoding: str = "utf-8") -> str | RefusedEntry:
    """The text of the bytes, or the refusal that names the byte which is none of that encoding."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        where = f"byte 0x{data[error.start]:02x} at {error.start + 1:,}"
        hint = "save the file as UTF-8, or name its encoding, for instance --encoding windows-1252"
        name = "UTF-8" if encoding == "utf-8" else encoding
        return RefusedEntry(place, f"is not valid {name} ({where}); {hint}", position)


def too_long(place: str, what: str, position: int) -> RefusedEntry:
    """The refusal of a line, row or file that is longer than any article can be."""
    return RefusedEntry(
        place, f"{what} is longer than {MAX_ENTRY_BYTES:,} bytes, which no article needs", position
    )


def _skip_line(stream: BinaryIO) -> tuple[int, int]:
    """Reads to the line's end; how many bytes that were, and how many quotes among them."""
    skipped = quotes = 0
    while piece := stream.readline(_SKIP_STEP):
        skipped += len(piece)
        quotes += piece.count(b'"')
        if piece.endswith(b"\n"):
            break
    return skipped, quotes


def _without_mark(first_line: bytes) -> bytes:
    return first_line.removeprefix(_UTF8_MARK)
