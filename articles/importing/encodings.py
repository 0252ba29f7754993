"""Files in other encodings, and with other line ends, as UTF-8 that is read in the same bounded pieces."""

import codecs
import io
import re
from typing import Any, BinaryIO

from articles.importing.entries import SourceUnreadable

_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16: its mark begins the same way
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_QUOTE_OR_END = re.compile(rb'"|\r\n|\r|\n')
_START = 65_536


class _Recoded(io.RawIOBase):
    """The bytes of a text in UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str, newline: str | None) -> None:
        self._text = io.TextIOWrapper(stream, encoding, newline=newline)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._text.read(len(buffer) // 4).encode()
        except UnicodeError as error:
            raise SourceUnreadable(f"the file is not valid {self._text.encoding}: {error}") from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._text.close()
        super().close()


def in_utf8(stream: BinaryIO, encoding: str | None = None) -> io.BufferedReader:
    """The stream, decoded and encoded again where its encoding is another: the one given, or UTF-16 and UTF-32 by their
    mark. Raises SourceUnreadable."""
    buffered = _buffered(stream)
    start = buffered.peek(4)[:4]
    if encoding is None and b"\x00" in start and encoding_of(start) == "utf-8":
        raise SourceUnreadable("the file has NUL bytes; if it is UTF-16, give --encoding utf-16-le")
    encoding = encoding or encoding_of(start)
    if codecs.lookup(encoding).name == "utf-8":
        return buffered
    return _buffered(_Recoded(buffered, encoding, newline=""))


def encoding_of(start: bytes) -> str:
    """The encoding that the mark at a file's start names; UTF-8 where there is none."""
    return next((name for mark, name in _MARKS.items() if start.startswith(mark)), "utf-8")


def with_line_feeds(stream: io.BufferedReader) -> io.BufferedReader:
    """The stream with LF where its first line ends with CR alone, as spreadsheets on a Mac write them."""
    quoted = False
    for match in _QUOTE_OR_END.finditer(stream.peek(_START)):
        if match.group() == b'"':
            quoted = not quoted
        elif not quoted:
            if match.group() != b"\r":
                break
            return _buffered(_Recoded(stream, "utf-8", newline=None))
    return stream


def _buffered(stream: Any) -> io.BufferedReader:
    return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream, _START)
