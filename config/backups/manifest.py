"""What lies beside a backup and says what is in it: without it a file is no backup, since nobody has read it back."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from config.backups.problems import BackupError
from config.stack.firststart import write_private

FORMAT = 1
WHOLE, QUEUE = "whole", "queue"


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
        """Puts it beside the archive, readable by its owner alone; it appears whole or not at all."""
        place = beside(archive)
        partial = place.with_name(place.name + ".partial")
        write_private(partial, json.dumps(asdict(self), indent=2) + "\n")
        partial.replace(place)


def beside(archive: Path) -> Path:
    """Where the manifest of an archive lies."""
    return archive.with_name(archive.name + ".json")


def digest(archive: Path) -> str:
    """SHA-256 of the file, in hexadecimal."""
    with archive.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(archive: Path) -> Manifest:
    """The manifest of an archive that is just as it was written. Raises BackupError."""
    manifest = _parsed(archive)
    size = archive.stat().st_size
    if size != manifest.bytes or digest(archive) != manifest.sha256:
        raise BackupError(
            f"{archive} is not as it was written: it has {size:,} bytes, and its manifest speaks of {manifest.bytes:,} "
            "with another checksum; take another backup"
        )
    return manifest


def _parsed(archive: Path) -> Manifest:
    place = beside(archive)
    if not archive.is_file():
        raise BackupError(f"there is no file {archive}")
    if not place.is_file():
        raise BackupError(
            f"{archive} has no manifest ({place.name}): it was not finished, or not made by manage.py backup"
        )
    try:
        given: dict[str, Any] = json.loads(place.read_text())
        if given.get("format") != FORMAT:
            raise BackupError(
                f"{place} is of format {given.get('format')}, and this version reads format {FORMAT}"
            )
        return Manifest(**{field.name: given[field.name] for field in fields(Manifest)})
    except (ValueError, KeyError, AttributeError) as error:
        raise BackupError(f"{place} cannot be read as a manifest; take another backup") from error
