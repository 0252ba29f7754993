"""Files in other encodings, and with other line ends, are read as UTF-8 with line feeds."""

import codecs
import io

import pytest

from articles.importing import encodings
from articles.importing.entries import SourceUnreadable

TEXT = 'title,content\n"grün","日本 🎈"\n'


@pytest.mark.parametrize(
    ("start", "encoding"),
    [
        (b"", "utf-8"),
        (b"title", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE + b"a\x00", "utf-16"),
    ],
)
def test_a_mark_names_the_encoding(start: bytes, encoding: str) -> None:
    assert encodings.encoding_of(start) == encoding


@pytest.mark.parametrize(
    ("written", "given"),
    [
        ("utf-8", None),
        ("utf-16", None),
        ("utf-32", None),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-8", "UTF8"),
    ],
)
def test_a_text_is_the_same_in_every_encoding(written: str, given: str | None) -> None:
    assert encodings.in_utf8(io.BytesIO(TEXT.encode(written)), given).read().decode() == TEXT


def test_a_long_text_is_read_in_pieces_of_any_size() -> None:
    text = "ä日🎈\r\n" * 50_000
    stream = encodings.in_utf8(io.BytesIO(text.encode("utf-16")))
    pieces = iter(lambda: stream.read(777), b"")
    assert b"".join(pieces).decode() == text


def test_a_text_in_utf_8_is_not_copied() -> None:
    stream = io.BufferedReader(io.BytesIO(b"text"))
    assert encodings.in_utf8(stream) is stream


def test_a_byte_that_the_encoding_does_not_know_stops_the_import() -> None:
    with pytest.raises(SourceUnreadable, match=r"the file is not valid ascii: .*0xe4"):
        encodings.in_utf8(io.BytesIO(b"a\xe4"), "ascii").read()


def test_utf_16_without_a_mark_is_refused_with_the_option_that_reads_it() -> None:
    with pytest.raises(SourceUnreadable, match="if it is UTF-16, give --encoding utf-16-le"):
        encodings.in_utf8(io.BytesIO("title".encode("utf-16-le")))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", b""),
        (b"one line", b"one line"),
        (b"a\rb\rc", b"a\nb\nc"),
        (b"a\nb\r", b"a\nb\r"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b'"a\rb"\nc\n', b'"a\rb"\nc\n'),
        (b'"a\nb"\rc\r', b'"a\nb"\nc\n'),
        (b'"a""\r"\rb', b'"a""\n"\nb'),
    ],
)
def test_line_ends_of_a_mac_become_line_feeds_and_others_stay(data: bytes, found: bytes) -> None:
    assert encodings.with_line_feeds(encodings.in_utf8(io.BytesIO(data))).read() == found
