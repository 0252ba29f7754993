"""Backups, with real programs and databases: what they hold, and what is left of one that fails."""

from pathlib import Path

import pytest

from config.backups import dump, manifest, server
from config.backups.errors import BackupError
from config.backups.server import Server

pytestmark = pytest.mark.django_db
TABLES = ("articles", "embedding_tasks", "embedding_audit_logs")


def test_a_backup_is_readable_by_its_owner_alone_and_says_what_is_in_it(whole: Path, queue: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in (whole, queue, manifest.beside(whole))} == {0o600}
    described = manifest.read(whole)
    assert (described.kind, described.rows["articles"], described.bytes) == ("whole", 3, whole.stat().st_size)
    assert set(manifest.read(queue).rows) == set(server.queue_tables())


def test_no_backup_takes_the_place_of_one_made_in_the_same_second(
    source: Server, target: Server, tmp_path: Path
) -> None:
    made = [dump.make(source, tmp_path, queue_only=True) for _ in range(4)]
    assert len(set(made)) == 4
    for path in made:
        assert manifest.read(path).file == path.name
    assert not list(tmp_path.glob("*.partial"))


def test_a_backup_that_fails_leaves_no_file_behind(target: Server, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="nothing to back up"):
        dump.make(target, tmp_path)
    with pytest.raises(BackupError, match="the database does not answer"):
        dump.make(Server(dict(target.parameters) | {"dbname": "there_is_none"}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_backup_while_nothing_runs_says_how_to_start_it_and_makes_no_folder(
    target: Server, tmp_path: Path
) -> None:
    with pytest.raises(BackupError) as refusal:
        dump.make(Server(dict(target.parameters) | {"host": str(tmp_path)}), tmp_path / "backups")
    assert str(refusal.value).startswith("the database does not answer: connection ")
    assert str(refusal.value).endswith("; start it (python manage.py runstack), or correct DATABASE_URL")
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []
