"""Addresses of the embedded servers of one data folder: without Django and cheap to import."""

import hashlib
import os
import pwd
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

DATABASE = "vectorpress"
DATABASE_USER = "vectorpress"
"""The role that owns the database; not a superuser."""
SUPERUSER = "postgres"
"""The role that makes the other; nothing that serves connects as it."""
LONGEST_SOCKET = ".s.PGSQL.5432"
_MOST_BYTES = 103  # of a socket's path on macOS; Linux takes 107


def socket_dir(data_dir: Path) -> Path:
    """The folder of the servers' sockets: the same for every process and user that names the same data folder.

    `run` in the data folder; where that makes the sockets' paths too long, a folder elsewhere, named by a hash of the
    data folder's real path.
    """
    data_dir = data_dir.resolve()
    within = data_dir / "run"
    return within if _is_short(within) else _elsewhere(data_dir)


def _elsewhere(data_dir: Path) -> Path:
    """The folder that exists in the right hands, else the first that we could make: never one that others made."""
    name = f"vectorpress-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]}"
    owner = _owner(data_dir)
    system = Path("/run") / name  # only root writes there
    candidates = [parent / name for parent in _private_folders(owner)] + [Path(tempfile.gettempdir()) / name]
    candidates = [folder for folder in candidates if _is_short(folder)]
    if system.is_dir():
        return system
    existing = [folder for folder in candidates if folder.is_dir() and folder.lstat().st_uid == owner]
    return [*existing, *([system] if os.geteuid() == 0 and system.parent.is_dir() else []), *candidates][0]


def _owner(data_dir: Path) -> int:
    """Whose data it is; ours where the folder is still to be made."""
    with suppress(FileNotFoundError):
        return data_dir.stat().st_uid
    return os.geteuid()


def _private_folders(user: int) -> Iterator[Path]:
    """Folders that only this user and root write to: by the machine's records, not by the caller's environment."""
    runtime = Path(f"/run/user/{user}")
    if runtime.is_dir() and runtime.stat().st_uid == user:
        yield runtime
    with suppress(KeyError):
        home = Path(pwd.getpwuid(user).pw_dir)
        if home.is_dir() and home.stat().st_uid == user:
            yield home / ".cache" / "vectorpress"


def _is_short(folder: Path) -> bool:
    return len(os.fsencode(folder / LONGEST_SOCKET)) <= _MOST_BYTES


def database_url(data_dir: Path) -> str:
    """The address of the embedded Postgres of this data folder."""
    return postgres_url(socket_dir(data_dir))


def redis_url(data_dir: Path) -> str:
    """The address of the embedded Valkey of this data folder."""
    return valkey_url(socket_dir(data_dir))


def postgres_url(sockets: Path, database: str = DATABASE, user: str = DATABASE_USER) -> str:
    """The address of a database of the Postgres that listens in this folder."""
    return f"postgresql://{user}@/{database}?host={quote(str(sockets))}"


def valkey_url(sockets: Path) -> str:
    """The address of the first database of the Valkey that listens in this folder."""
    return f"unix://{quote(str(valkey_socket(sockets)))}?db=0"


def valkey_socket(sockets: Path) -> Path:
    """The socket of the Valkey that listens in this folder."""
    return sockets / "valkey.sock"


def embedder_socket(sockets: Path) -> Path:
    """The socket of the local embedder that listens in this folder."""
    return sockets / "embedder.sock"
