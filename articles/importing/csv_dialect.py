"""How one CSV file is written: its separator, and whether blanks follow it."""

import csv
import re
from dataclasses import dataclass

from articles.importing import files
from articles.importing.entries import SourceUnreadable

DELIMITERS = ",;\t|"
_SEP_LINE = re.compile(r'\A"?sep=([,;\t|])"?[,;\t|]*\Z', re.IGNORECASE)
_QUOTE = b'"'
# By separator: the blanks between it and a quote
_COMMA, _SEMICOLON, _TAB, _BAR = (
    re.compile(rb'(?<=[%b]) +(?=")' % each) for each in (b",", b";", b"\t", b"|")
)
_BLANKS = dict(zip(DELIMITERS, (_COMMA, _SEMICOLON, _TAB, _BAR), strict=True))
# Rows whose quotes stand around cells and, doubled, inside of them. `*+` gives nothing back: time stays linear.
_ROW = r'(?: *"(?:[^"]++|"")*+"|[^"{0}]*+)(?:[{0}](?: *"(?:[^"]++|"")*+"|[^"{0}]*+))*+'
_COMMAS, _SEMICOLONS, _TABS, _BARS = (re.compile(_ROW.format(each)) for each in DELIMITERS)
_WELL_FORMED = dict(zip(DELIMITERS, (_COMMAS, _SEMICOLONS, _TABS, _BARS), strict=True))


@dataclass(frozen=True, slots=True)
class Dialect:
    """`is_spaced`: the blanks after a separator are part of it, as in `title, content`."""

    delimiter: str
    is_spaced: bool = False

    def cells(self, text: str) -> list[str]:
        """The cells of one row. Raises csv.Error for a quote where none may be, and for quotes escaped by a backslash:
        read by the rules of CSV, they would end a cell."""
        reader = csv.reader([text], delimiter=self.delimiter, skipinitialspace=self.is_spaced, strict=True)
        cells = next(reader, [])
        if '\\"' in text and not self._is_well_formed(text):
            raise csv.Error('a quote is escaped by a backslash; write it twice ("")')
        return cells

    def quoted_after(self, line: bytes, quoted: bool) -> bool:
        """Whether a quoted cell is open at the line's end, given whether one was at its start."""
        if self.is_spaced:  # blanks before a quote change nothing else about where quotes open and close
            line = _BLANKS[self.delimiter].sub(b"", line)
            line = line if quoted else line.lstrip(b" ")
        return quoted_after(line, self.delimiter.encode(), quoted)

    def _is_well_formed(self, text: str) -> bool:
        """Whether quotes stand around cells and, doubled, inside of quoted ones, and nowhere else."""
        return _WELL_FORMED[self.delimiter].fullmatch(text) is not None


def quoted_after(line: bytes, delimiter: bytes, quoted: bool) -> bool:
    """As Dialect.quoted_after, for a dialect without blanks."""
    at = 0
    if not quoted and line.startswith(_QUOTE):
        at, quoted = 1, True
    while True:
        if quoted:
            if (at := line.find(_QUOTE, at)) < 0:
                return True
            quoted = line.startswith(_QUOTE, at + 1)
            at += 2 if quoted else 1
        else:
            if (at := line.find(delimiter + _QUOTE, at)) < 0:
                return False
            at, quoted = at + 2, True


def separator_of(text: str) -> str | None:
    """The separator that Excel's first line names ("sep=;"), or None for another line."""
    match = _SEP_LINE.match(text.strip(" "))
    return match[1] if match else None


def header_of(name: str, line: files.Line, text: str, separator: str | None) -> tuple[Dialect, list[str]]:
    """The dialect and the cells of a header, a column `title` among them. Raises SourceUnreadable."""
    problem = ""
    for delimiter in separator or DELIMITERS:
        is_spaced = delimiter in text and text.count(delimiter) == text.count(f"{delimiter} ")
        dialect = Dialect(delimiter, is_spaced)
        if dialect.quoted_after(line.text or b"", quoted=False):
            problem = problem or "a quoted column name is not closed on the first line"
            continue
        try:
            columns = [column.strip() for column in dialect.cells(text)]
        except csv.Error as error:
            problem = problem or f"the header is not valid CSV: {error}"
            continue
        if any(column.lower() == "title" for column in columns):
            return dialect, columns
    problem = problem or f"there is no column called title; the header is {text[:200]!a}"
    raise SourceUnreadable(f"{name} line {line.number:,}: {problem}")
