"""Reads untrusted files: only regular ones, below their folder, and never more than requested.

Everything is opened relative to a descriptor of the folder, each step with O_NOFOLLOW, so that a file or folder that is
exchanged for a link between listing and opening is not followed either.
"""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO would wait for a writer
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_DEEPEST = 64  # folders within folders


class NotRegular(OSError):
    """A folder, FIFO, socket or device where a file was expected."""


class Listed(NamedTuple):
    """A file below a folder: its path from there, and why it is not read, if it is not."""

    path: str
    problem: str = ""


class Folder:
    """A folder that is read from; close it, or use it as a context.

    `follow_links` opens what links point to as well, wherever that is: still regular files only, and each folder once.
    """

    def __init__(self, root: Path, *, follow_links: bool = False) -> None:
        """Raises OSError. The root itself may be a link: it was given by name."""
        self._follow_links = follow_links
        self._no_link = 0 if follow_links else os.O_NOFOLLOW
        self._root = os.open(root, _FOLDER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def files(self, suffixes: tuple[str, ...]) -> list[Listed]:
        """The files with these suffixes at any depth, in order of their paths; what is hidden is left out."""
        found = self._walk(os.dup(self._root), "", suffixes, {_identity(self._root)})
        return sorted(found, key=lambda listed: listed.path.split("/"))

    def open(self, path: str) -> BinaryIO:
        """A file by its path from the root. Raises OSError: NotRegular, or of a link, where none is followed."""
        *folders, name = PurePosixPath(path).parts
        at = os.dup(self._root)
        try:
            for folder in folders:
                at = self._step(at, folder)
            return regular(os.open(name, _FILE | self._no_link, dir_fd=at))
        finally:
            os.close(at)

    def _step(self, at: int, folder: str) -> int:
        """A descriptor of a folder in the folder `at`, which is closed."""
        below = os.open(folder, _FOLDER | self._no_link, dir_fd=at)
        os.close(at)
        return below

    def _walk(
        self, at: int, prefix: str, suffixes: tuple[str, ...], met: set[tuple[int, int]]
    ) -> Iterator[Listed]:
        try:
            with os.scandir(at) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if not entry.name.startswith("."):
                        yield from self._entry(at, prefix + entry.name, entry, suffixes, met)
        finally:
            os.close(at)

    def _entry(
        self,
        at: int,
        path: str,
        entry: os.DirEntry[str],
        suffixes: tuple[str, ...],
        met: set[tuple[int, int]],
    ) -> Iterator[Listed]:
        is_wanted = entry.name.lower().endswith(suffixes)
        if entry.is_symlink() and not self._follow_links:
            if is_wanted or _is(entry.is_dir):
                yield Listed(path, "is a link, and links are not followed; --follow-links follows them")
        elif _is(entry.is_dir):
            yield from self._folder(at, path, suffixes, met)
        elif is_wanted:
            yield Listed(path, "" if _is(entry.is_file) else "is not a regular file")

    def _folder(
        self, at: int, path: str, suffixes: tuple[str, ...], met: set[tuple[int, int]]
    ) -> Iterator[Listed]:
        if path.count("/") >= _DEEPEST:
            yield Listed(path, f"is more than {_DEEPEST} folders deep")
            return
        try:
            below = os.open(path.rpartition("/")[2], _FOLDER | self._no_link, dir_fd=at)
        except OSError as error:
            yield Listed(path, f"cannot be read: {error.strerror}")
            return
        if _identity(below) in met:
            os.close(below)
            return
        met.add(_identity(below))
        yield from self._walk(below, f"{path}/", suffixes, met)


def _is(kind: Callable[[], bool]) -> bool:
    """The kind of an entry; none for a circular link or an unreadable one."""
    try:
        return kind()
    except OSError:
        return False


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def regular(descriptor: int) -> BinaryIO:
    """The stream of a descriptor. Raises NotRegular, and closes it, unless it is of a regular file."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular(0, "not a regular file")
    return os.fdopen(descriptor, "rb")


def read_small(path: Path, most_bytes: int, *, follow_links: bool = True) -> bytes:
    """The whole of one named file. Links are followed by default, as secrets are mounted. Raises OSError,
    also for what is not a regular file or is longer than `most_bytes`."""
    with regular(os.open(path, _FILE if follow_links else _FILE | os.O_NOFOLLOW)) as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(0, f"longer than {most_bytes:,} bytes")
    return data
