"""Reads the file `.env`: a NAME=VALUE per line, as shells and containers write it. Nothing in it is run or expanded."""

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

from lib.regular_files import read_small

_MOST_BYTES = 262_144
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXPORT = re.compile(r"export[ \t]+")
_COMMENT = re.compile(r"[ \t]#")
_QUOTED = re.compile(r'\A"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_LINE_BREAKS = {"n": "\n", "r": "\r", "t": "\t"}


class EnvFile(NamedTuple):
    """What the file holds, and its permissions; without a path no file is read."""

    path: Path | None
    values: Mapping[str, str]
    mode: int = 0

    @property
    def folder(self) -> Path:
        return self.path.parent if self.path else Path()

    @property
    def is_readable_by_all(self) -> bool:
        return bool(self.mode & stat.S_IROTH)

    @property
    def is_writable_by_all(self) -> bool:
        return bool(self.mode & stat.S_IWOTH)


NO_FILE = EnvFile(None, {})


def read(path: Path, *, is_needed: bool) -> EnvFile:
    """The file at this path. A missing one has no values, unless it is needed. Raises ImproperlyConfigured."""
    try:
        data = read_small(path, _MOST_BYTES)
        return EnvFile(path, parsed(data.decode("utf-8-sig"), path), path.stat().st_mode)
    except FileNotFoundError:
        if not is_needed:
            return NO_FILE
        raise ImproperlyConfigured(
            f"ENV_FILE is {path}, and there is no such file; `none` reads none."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise ImproperlyConfigured(
            f"{path} cannot be read: {reason}. Let the account that runs this read it, or set ENV_FILE to another "
            "file, or to none."
        ) from None


def parsed(text: str, path: Path) -> dict[str, str]:
    """The values by name; the last of several lines for one name counts.

    Raises ImproperlyConfigured, which repeats no value: it may be a secret.
    """
    found = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if (line := line.strip()) and not line.startswith("#"):
            name, equals, value = _EXPORT.sub("", line, count=1).partition("=")
            kept = _value(value.strip())
            if not equals or not _NAME.fullmatch(name.strip()) or kept is None or "\0" in kept:
                raise ImproperlyConfigured(
                    f"{path}, line {number}, cannot be read; it may hold NAME=VALUE, NAME='VALUE', NAME=\"VALUE\" or "
                    "a comment that begins with #."
                )
            found[name.strip()] = kept
    return found


def _value(text: str) -> str | None:
    """Without quotes and the comment behind it; None where a quote does not end."""
    if text[:1] == "'":
        inner, end, rest = text[1:].partition("'")
        return inner if end and _is_comment(rest) else None
    if text[:1] == '"':
        found = _QUOTED.match(text)
        if not found or not _is_comment(text[found.end() :]):
            return None
        return _ESCAPED.sub(lambda escaped: _LINE_BREAKS.get(escaped[1], escaped[1]), found[1])
    return "" if text.startswith("#") else _COMMENT.split(text, maxsplit=1)[0].rstrip()


def _is_comment(rest: str) -> bool:
    return not rest or rest.strip() == "" or (rest[0] in " \t" and rest.strip().startswith("#"))
