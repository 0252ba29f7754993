"""A check names the programs that fit the server, and those that a shell would start and the server refuses."""

from pathlib import Path

import pytest
from django.db import connection

from config.backups import pg_programs, program_check

pytestmark = [pytest.mark.django_db, pytest.mark.process]


def put(folder: Path, version: int) -> Path:
    """Programs that say they are of this version."""
    folder.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (folder / name).write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


def server_major() -> int:
    connection.ensure_connection()
    return int(connection.connection.info.server_version) // 10_000


def test_the_programs_that_fit_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = put(tmp_path / "own", server_major())
    monkeypatch.setenv("POSTGRES_BIN_DIR", str(folder))
    monkeypatch.setenv("PATH", "")
    (found,) = program_check.check()
    assert (found.verdict, str(folder) in found.detail, "on PATH" in found.detail) == ("ok", True, False)


def test_an_older_program_on_the_path_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(put(tmp_path / "old", 15)))
    (found,) = program_check.check()
    assert found.verdict == "ok"
    assert found.detail.endswith("; pg_dump on PATH is 15 and refuses it")


def test_programs_that_are_all_too_old_are_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POSTGRES_BIN_DIR", str(put(tmp_path / "old", 9)))
    (found,) = program_check.check()
    assert found.verdict == "warn"
    assert "those found are of 9" in found.detail
    assert pg_programs.version_in(tmp_path) is None
