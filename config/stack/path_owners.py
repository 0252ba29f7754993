"""The way from the root folder to another one: who could put something else in its place."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS = 40  # as Linux follows


class Way(NamedTuple):
    """An open folder. `is_roots`: only root can replace it, whoever owns it. Otherwise
    `stranger` is the first user who can, None if everyone can. `has_strangers_link`: a link that is not root's led
    here."""

    folder: int
    is_roots: bool
    stranger: int | None
    has_strangers_link: bool


@contextmanager
def opened(folder: Path) -> Iterator[Way]:
    """Opens it one name after the other; a link is followed by reading it. Raises OSError."""
    way = _walk(folder)
    try:
        yield way
    finally:
        os.close(way.folder)


def existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next((each for each in (folder, *folder.parents) if os.path.lexists(each)), Path("/"))


def _walk(folder: Path) -> Way:
    names = list(reversed(folder.absolute().parts[1:]))
    at, links = os.open("/", _FOLDER), 0
    way = Way(at, True, None, False)
    try:
        while names:
            name = names.pop()
            way = _judged(way, at, name)
            target = _link(at, name)
            if target is None:
                below = os.open(name, _FOLDER, dir_fd=at)
            else:
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                way = way._replace(has_strangers_link=way.has_strangers_link or not way.is_roots)
                names += reversed([part for part in target.split("/") if part not in ("", ".")])
                below = os.open("/", _FOLDER) if target.startswith("/") else os.dup(at)
            os.close(at)
            at = below
    except BaseException:
        os.close(at)
        raise
    return way._replace(folder=at)


def _judged(way: Way, at: int, name: str) -> Way:
    """The way with the state of the entry `name` of the open folder `at`."""
    holder, entry = os.fstat(at), os.stat(name, dir_fd=at, follow_symlinks=False)
    if not way.is_roots or (holder.st_uid == 0 and (not is_open(holder) or _is_sticky(holder, entry))):
        return way
    return way._replace(is_roots=False, stranger=holder.st_uid or None)


def is_open(folder: os.stat_result) -> bool:
    """Whether others than its owner may rename what is in it; root's own group is root."""
    return bool(folder.st_mode & stat.S_IWOTH or (folder.st_mode & stat.S_IWGRP and folder.st_gid != 0))


def _is_sticky(holder: os.stat_result, entry: os.stat_result) -> bool:
    """Whether only root may rename root's entry, as in /tmp."""
    return bool(holder.st_mode & stat.S_ISVTX) and entry.st_uid == 0


def _link(at: int, name: str) -> str | None:
    """A link's target; None for everything else."""
    with suppress(OSError):
        return os.readlink(name, dir_fd=at)
    return None
