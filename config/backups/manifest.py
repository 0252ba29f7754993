"""The manifest beside a backup: an archive without one has not been read back, so it is refused."""

import hashlib
import json
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from config.backups import files, manifest_fields
from config.backups.errors import BackupError
from config.backups.files import Stamp
from config.backups.manifest_fields import FORMAT, QUEUE, WHOLE
from config.stack.firststart import write_private
from lib.manage_command import manage

__all__ = ["FORMAT", "QUEUE", "WHOLE", "Manifest", "beside", "digest", "read"]
MAX_BYTES = 1024 * 1024
_HEAD = 4_096


@dataclass(frozen=True)
class Manifest:
    """`rows` counts them by table, `migrations` has the newest of each app, `kind` is whole or queue."""

    file: str
    sha256: str
    bytes: int
    kind: str
    made_at: str
    database: str
    server: int
    migrations: dict[str, str]
    rows: dict[str, int]
    format: int = FORMAT

    @property
    def total(self) -> int:
        return sum(self.rows.values())

    def write(self, archive: Path) -> None:
        """Puts it beside the archive, readable by its owner alone; it appears whole or not at all. Raises BackupError
        where it could not be read again."""
        place = beside(archive)
        fields = asdict(self)
        manifest_fields.check(fields, archive, place)
        partial = place.with_name(place.name + ".partial")
        write_private(partial, json.dumps(fields, indent=2) + "\n")
        partial.replace(place)


def beside(archive: Path) -> Path:
    """The path of the manifest of an archive."""
    return archive.with_name(archive.name + ".json")


def digest(file: FileIO) -> str:
    """SHA-256 of an open file from its beginning, in hexadecimal."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def read(archive: Path) -> Manifest:
    """The manifest of an archive, which is as it was written. Raises BackupError."""
    return checked(archive)[0]


def checked(archive: Path) -> tuple[Manifest, Stamp]:
    """The manifest of an archive and the stamp of the file that fits it. Raises BackupError where the manifest is
    missing or invalid, or where the archive has changed since it was written."""
    with files.opened(archive) as file:
        manifest = _parsed(archive)
        stamp = files.stamp(file)
        if (size := stamp.size) != manifest.bytes or digest(file) != manifest.sha256:
            raise BackupError(
                f"{archive} is not as it was written: it has {size:,} bytes, and its manifest speaks of "
                f"{manifest.bytes:,} with another checksum; take another backup"
            )
    return manifest, stamp


def _is_sql(archive: Path) -> bool:
    with files.opened(archive) as file:
        return b"PostgreSQL database dump" in file.read(_HEAD)


def _parsed(archive: Path) -> Manifest:
    place = beside(archive)
    if not place.exists(follow_symlinks=False):
        if _is_sql(archive):
            raise BackupError(
                f"{archive} is SQL that pg_dump wrote, not a file of {manage('backup')}: run into existing tables, it "
                f"adds to some and fails on others. Make a backup with {manage('backup --queue-only')} (or "
                f"{manage('queue_admin export')}), which is restored as a whole"
            )
        raise BackupError(
            f"{archive} has no manifest ({place.name}): it was not finished, or not made by {manage('backup')}"
        )
    with files.opened(place) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise BackupError(f"{place} is larger than {MAX_BYTES:,} bytes, so it is not a manifest")
    try:
        given: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BackupError(f"{place} cannot be read as a manifest: it is not valid JSON") from error
    return Manifest(**manifest_fields.check(given, archive, place))
