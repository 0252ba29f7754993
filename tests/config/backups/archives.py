"""Makes, spoils and restores backups for tests, and looks at what a database holds."""

import hashlib
import json
from pathlib import Path
from typing import Any

from psycopg import sql

from config.backups import manifest, restore, server
from config.backups.server import Server


def restored(of: Server, archive: Path, **options: bool) -> None:
    """Plans and restores."""
    restore.restore(of, restore.plan(of, archive, **options))


def counts(of: Server, *names: str) -> dict[str, int]:
    """Rows by table."""
    with of.connect() as session:
        return server.count(session, names)


def execute(of: Server, *statements: str) -> None:
    """Runs statements in one transaction."""
    with of.connect() as session:
        for statement in statements:
            session.execute(statement.encode())


def state(of: Server) -> dict[str, tuple[int, str]]:
    """Every row of every table, as a checksum by table."""
    statement = "SELECT count(*), md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} t"
    with of.connect() as session:
        return {
            name: session.execute(sql.SQL(statement).format(sql.Identifier(name))).fetchall()[0]
            for name in server.tables(session)
        }


def described(archive: Path) -> dict[str, Any]:
    """The manifest's fields."""
    fields: dict[str, Any] = json.loads(manifest.beside(archive).read_text())
    return fields


def describe(archive: Path, fields: Any) -> None:
    """Writes a manifest as somebody else might, whatever it says."""
    manifest.beside(archive).write_text(json.dumps(fields))


def patch(archive: Path, old: str, new: str) -> None:
    """Puts a text in the place of another one of the archive, no longer than that, and makes the manifest fit."""
    content = archive.read_bytes()
    assert content.count(old.encode()) == 1
    assert len(new) <= len(old)
    archive.write_bytes(content.replace(old.encode(), new.ljust(len(old)).encode()))
    update_manifest(archive)


def update_manifest(archive: Path) -> None:
    """Makes the manifest fit the archive as it is now."""
    content = archive.read_bytes()
    fields = described(archive)
    describe(archive, fields | {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)})
