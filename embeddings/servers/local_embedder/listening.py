"""Where the embedder listens: a Unix socket in a private folder or, only when asked for, a port of loopback."""

import contextlib
import errno
import fcntl
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
_WAITING = 128
"""Connections that the kernel queues for us."""


class CannotListen(Exception):
    """The embedder cannot listen, as a sentence for the person who starts it."""


@dataclass(frozen=True)
class Listening:
    """A listening socket, its name for people and clients, and the names a request may give in its Host header.

    Both sides must prove `secret`; "" on a Unix socket, which the file system guards.
    """

    socket: socket.socket
    name: str
    hosts: frozenset[str]
    secret: str = ""
    lock: int | None = None

    def remove(self) -> None:
        """Removes the Unix socket at the end."""
        if self.lock is not None:
            Path(self.socket.getsockname()).unlink(missing_ok=True)


def on_port(port: int, secret: str) -> Listening:
    """Listens on loopback; port 0 takes a free one."""
    try:
        listening = socket.create_server((LOOPBACK, port), backlog=_WAITING)
    except OverflowError:
        raise CannotListen(f"--port is {port}; it may be 0 to 65535.") from None
    except OSError as error:
        raise _cannot(f"{LOOPBACK}:{port}", error) from None
    port = listening.getsockname()[1]
    hosts = frozenset({f"{LOOPBACK}:{port}", f"localhost:{port}"})
    return Listening(listening, f"http://{LOOPBACK}:{port}", hosts, secret)


def on_socket(path: Path) -> Listening:
    """Listens on a Unix socket that only its owner may open, in a folder that only its owner may enter.

    The socket of a killed run is replaced. A lock beside it, which ends with its holder, shows that no other embedder
    listens, and so does an attempt to connect, in case the lock's file was removed.
    """
    path = path.absolute()
    with contextlib.ExitStack() as undone:
        try:
            owner = _private_folder(path.parent)
            lock = _locked(path, owner)
            undone.callback(os.close, lock)
            _remove_stale(path)
            listening = undone.enter_context(socket.socket(socket.AF_UNIX))
            _bind(listening, path, owner)
        except OSError as error:
            raise _cannot(str(path), error) from None
        undone.pop_all()
        return Listening(listening, f"unix:{path}", frozenset({"localhost"}), lock=lock)


def _private_folder(folder: Path) -> os.stat_result:
    """Creates the folder if it is missing; refuses one that others own or may enter."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(opened)
    finally:
        os.close(opened)
    if os.geteuid() not in (found.st_uid, 0):
        raise CannotListen(
            f"{folder} belongs to uid {found.st_uid}, not to this account: choose another folder for the socket."
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise CannotListen(
            f"{folder} has the mode {stat.S_IMODE(found.st_mode):03o}, so other accounts may enter it: the folder of "
            f"the embedder's socket must be private. Run chmod 700 {folder}, or choose another one."
        )
    return found


def _locked(path: Path, owner: os.stat_result) -> int:
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise _taken(path) from None
    if os.geteuid() != owner.st_uid:
        os.fchown(lock, owner.st_uid, owner.st_gid)
    return lock


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotListen(f"{path} exists and is not a socket: remove it, or choose another path.")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        if probe.connect_ex(str(path)) != errno.ECONNREFUSED:
            raise _taken(path)
    path.unlink()


def _bind(listening: socket.socket, path: Path, owner: os.stat_result) -> None:
    mask = os.umask(0o177)  # a chmod afterwards would leave a moment for others
    try:
        listening.bind(str(path))
    finally:
        os.umask(mask)
    if os.geteuid() != owner.st_uid:  # root's, in the folder of the account that uses it
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    listening.listen(_WAITING)


def _taken(path: Path) -> CannotListen:
    return CannotListen(f"Another embedder listens on {path}: stop it first, or choose another path.")


def _cannot(where: str, error: OSError) -> CannotListen:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return CannotListen(f"The embedder cannot listen on {where}: {reason}.")
