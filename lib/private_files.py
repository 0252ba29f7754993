"""Writes files that only their owner may read, and that are whole whenever they are there."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_BUFFER_BYTES = 1 << 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# without O_CREAT: if it is gone meanwhile, no file takes its place
_DEVICE = os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC
_STREAMS = (stat.S_ISCHR, stat.S_ISBLK, stat.S_ISFIFO)
_MOST_LINKS = 40
_ROOT = 0


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when the block ends well, and is gone when it does not. Raises OSError.

    It is made beside it under a name of its own, with mode 0600, and is on disk before it takes the name. A link is
    followed to its target, which is replaced; a link of another user is refused. A device or a pipe is never replaced:
    it is written to directly.
    """
    place = _followed(path)
    mode = _mode(place)
    if stat.S_ISDIR(mode):
        raise _refusal(errno.EISDIR, path)
    if _is_stream(mode):
        with os.fdopen(os.open(place, _DEVICE), "wb", _BUFFER_BYTES) as stream:
            yield stream
        return
    if mode and not stat.S_ISREG(mode):
        raise _refusal(errno.EOPNOTSUPP, path)
    with _replacing_file(place) as file:
        yield file


@contextmanager
def _replacing_file(path: Path) -> Iterator[BinaryIO]:
    unfinished = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with os.fdopen(os.open(unfinished, _NEW, 0o600), "wb", _BUFFER_BYTES) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _followed(path: Path) -> Path:
    """The path behind all links, which need not exist."""
    for _ in range(_MOST_LINKS):
        try:
            found = path.lstat()
        except FileNotFoundError:
            return path
        if not stat.S_ISLNK(found.st_mode):
            return path
        if found.st_uid not in {_ROOT, os.geteuid()}:
            raise OSError(errno.EPERM, "it is a link of another user", str(path))
        target = path.parent / path.readlink()
        if _is_stream(_mode(path)) and not target.exists():
            return path  # an open descriptor, as behind /dev/stdout: its text is not a path
        path = target
    raise _refusal(errno.ELOOP, path)


def _mode(path: Path) -> int:
    """The kind and permissions of what is there; 0 for nothing."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return 0


def _is_stream(mode: int) -> bool:
    return any(is_of(mode) for is_of in _STREAMS)


def _refusal(code: int, path: Path) -> OSError:
    return OSError(code, os.strerror(code), str(path))
