"""Where a setting comes from: the environment, which wins, or the file `.env`."""

import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

from config import env_file
from config.env_file import EnvFile

FILE = "ENV_FILE"
NONE = "none"  # the value of ENV_FILE with which no file is read
_ROOT = Path(__file__).resolve().parent.parent
_asked: set[str] = set()


class FileSummary(NamedTuple):
    """The file without its values, which may be secrets; `path` is empty if none is read."""

    path: str
    names: frozenset[str]
    is_readable_by_all: bool
    is_writable_by_all: bool


@cache
def file() -> EnvFile:
    """The file `.env` beside manage.py, or the one that ENV_FILE names. Raises ImproperlyConfigured."""
    named = os.environ.get(FILE, "").strip()
    if named == NONE:
        return env_file.NO_FILE
    return env_file.read(Path(named).expanduser() if named else _ROOT / ".env", is_needed=bool(named))


def summary() -> FileSummary:
    found = file()
    return FileSummary(
        str(found.path or ""), frozenset(found.values), found.is_readable_by_all, found.is_writable_by_all
    )


def raw(name: str) -> str:
    """The variable's text without blanks around it. An empty variable of the environment wins too: it asks for the
    default."""
    _asked.add(name)
    return (os.environ[name] if name in os.environ else file().values.get(name, "")).strip()


def origin(name: str) -> str:
    """Where the value comes from, in words."""
    kept, is_empty = file(), not raw(name)
    label = kept.path.name if kept.path else ""
    if name not in os.environ:
        return "default" if is_empty else label
    wins = f", which wins over {label}" if name in kept.values else ""
    if is_empty:
        return f"default; it is empty in the environment{wins}" if wins else "default"
    return f"environment{wins}"


def place(name: str) -> str:
    """The variable for a sentence about its value, with the file if it is set there."""
    kept = file()
    return f"{name} in {kept.path}" if name in kept.values and name not in os.environ else name


def is_from_file(name: str) -> bool:
    return name in file().values and name not in os.environ


def for_children() -> dict[str, str]:
    """Variables for a process that we start: what was taken from the file. The process does not read the file: its
    account may not be allowed to, and the file may have changed since."""
    taken = file().values
    return {name: taken[name] for name in sorted(_asked) if is_from_file(name)} | {FILE: NONE}
