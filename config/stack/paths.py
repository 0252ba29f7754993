"""Where the embedded servers of one data folder are reached: pure, without Django and cheap to import."""

import hashlib
import os
import tempfile
from pathlib import Path

DATABASE = "vectorpress"
DATABASE_USER = "postgres"


def socket_dir(data_dir: Path) -> Path:
    """The folder of the servers' sockets: the same for every process that names the same data folder.

    A socket's path may hold 107 bytes (103 on macOS), which a deep data folder exceeds, so the sockets live
    below the system's temporary folder, under a hash of the data folder's real path.
    """
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"vectorpress-{digest}"


def database_url(data_dir: Path) -> str:
    """The address of the embedded Postgres of this data folder."""
    return postgres_url(socket_dir(data_dir))


def redis_url(data_dir: Path) -> str:
    """The address of the embedded Valkey of this data folder."""
    return valkey_url(socket_dir(data_dir))


def postgres_url(sockets: Path, database: str = DATABASE) -> str:
    """The address of a database of the Postgres that listens in this folder."""
    return f"postgresql://{DATABASE_USER}@/{database}?host={sockets}"


def valkey_url(sockets: Path) -> str:
    """The address of the first database of the Valkey that listens in this folder."""
    return f"unix://{valkey_socket(sockets)}?db=0"


def valkey_socket(sockets: Path) -> Path:
    """The socket of the Valkey that listens in this folder."""
    return sockets / "valkey.sock"


def embedder_socket(sockets: Path) -> Path:
    """The socket of the local embedder that listens in this folder."""
    return sockets / "embedder.sock"
