"""Restores, with real programs and databases: what they refuse, and what they leave alone."""

import json
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from config.backups import manifest, replacing, restore, server
from config.backups.errors import BackupError
from tests.config.backups.archives import counts, execute, restored

pytestmark = [pytest.mark.django_db, pytest.mark.process]
TABLES = ("articles", "embedding_tasks", "embedding_audit_logs")


def test_a_whole_backup_makes_an_empty_database_what_the_first_one_was(
    source: server.Server, whole: Path, target: server.Server
) -> None:
    planned = restore.plan(target, whole)
    assert planned.is_empty
    restore.restore(target, planned)
    with source.connect() as one, target.connect() as other:
        names = server.tables(one)
        assert server.tables(other) == names
        assert server.count(other, names) == server.count(one, names) == planned.rows
        text = "SELECT string_agg(title || content, '' ORDER BY id) FROM articles"
        assert one.execute(text).fetchone() == other.execute(text).fetchone()
        assert other.execute("SELECT to_regclass('queue_is_installed') IS NOT NULL").fetchone() == (True,)


def test_what_is_there_is_replaced_and_what_the_backup_does_not_know_goes(
    whole: Path, target: server.Server
) -> None:
    restored(target, whole)
    execute(
        target,
        "CREATE TABLE newer (id bigint REFERENCES articles (id))",
        "CREATE VIEW seen AS SELECT * FROM newer",
        "CREATE FUNCTION added() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DELETE FROM articles",
    )
    planned = restore.plan(target, whole)
    assert not planned.is_empty
    restore.restore(target, planned)
    assert counts(target, "articles") == {"articles": 3}
    with target.connect() as session:
        gone = session.execute(
            "SELECT to_regclass('newer'), to_regclass('seen'), to_regproc('added')"
        ).fetchone()
    assert gone == (None, None, None)


def test_a_restore_that_cannot_be_finished_changes_nothing(whole: Path, target: server.Server) -> None:
    restored(target, whole)
    execute(target, "UPDATE articles SET title = 'kept'")
    planned = restore.plan(target, whole)
    with pytest.raises(BackupError, match=r"nothing was changed: not all rows of articles arrived"):
        restore.restore(target, replace(planned, rows=planned.rows | {"articles": 4}))
    with target.connect() as session:
        assert session.execute("SELECT DISTINCT title FROM articles").fetchall() == [("kept",)]


def test_a_restore_that_is_cut_off_changes_nothing(whole: Path, target: server.Server) -> None:
    restored(target, whole)
    execute(target, "UPDATE articles SET title = 'kept'")

    def stop(table: str) -> None:
        if table == "embedding_tasks":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore.restore(target, restore.plan(target, whole), tell=stop)
    with target.connect() as session:
        assert session.execute("SELECT DISTINCT title FROM articles").fetchall() == [("kept",)]


def test_tables_in_use_are_not_waited_for_without_end(
    whole: Path, target: server.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    restored(target, whole)
    monkeypatch.setattr(replacing, "_ATTEMPTS", 1)
    with target.connect() as session:
        session.execute("SELECT FROM articles")
        with pytest.raises(BackupError, match="the tables are in use; stop the workers"):
            restored(target, whole)


@pytest.mark.parametrize("only_from_whole", [False, True])
def test_the_queue_comes_back_alone_without_the_tasks_of_articles_that_are_gone(
    whole: Path, queue: Path, target: server.Server, only_from_whole: bool
) -> None:
    restored(target, whole)
    execute(
        target,
        "DELETE FROM articles WHERE slug = 'backup-0'",
        "UPDATE articles SET title = 'later'",
        "DELETE FROM embedding_tasks",
        "INSERT INTO embedding_audit_logs (category, message) VALUES ('operator', 'after the backup')",
    )
    restored(target, whole if only_from_whole else queue, queue_only=only_from_whole)
    assert counts(target, *TABLES) == {"articles": 2, "embedding_tasks": 2, "embedding_audit_logs": 1}
    with target.connect() as session:
        assert session.execute("SELECT DISTINCT title FROM articles").fetchall() == [("later",)]
        newest = session.execute("SELECT max(id) FROM embedding_tasks").fetchone()
        assert newest
        added = session.execute(
            "INSERT INTO embedding_tasks (article_id, space_id, status)"
            " SELECT article_id, space_id, 'failed' FROM embedding_tasks LIMIT 1 RETURNING id"
        ).fetchone()
        assert added
        assert added[0] > newest[0]
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            session.execute("INSERT INTO embedding_tasks (article_id, space_id) VALUES (0, 0)")
            session.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_queue_is_restored_only_into_tables_of_its_own_migration(
    whole: Path, queue: Path, target: server.Server
) -> None:
    with pytest.raises(BackupError, match=r"the queue is not installed: run python manage.py migrate"):
        restore.plan(target, queue)
    restored(target, whole)
    execute(target, "DELETE FROM django_migrations WHERE app = 'queueops' AND name > '0005'")
    with pytest.raises(BackupError, match=r"run python manage.py migrate queueops"):
        restore.plan(target, queue)


def test_a_file_that_was_changed_is_refused(copy: Path, target: server.Server) -> None:
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    with pytest.raises(BackupError, match="is not as it was written"):
        restore.plan(target, copy)


def test_a_file_that_was_cut_is_refused(copy: Path, target: server.Server) -> None:
    copy.write_bytes(copy.read_bytes()[:-100])
    with pytest.raises(BackupError, match="is not as it was written"):
        restore.plan(target, copy)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "has no manifest"),
        ("{", "cannot be read as a manifest"),
        ("[]", "cannot be read as a manifest"),
        (json.dumps({"format": 2}), "is of format 2, and this version reads format 1"),
    ],
)
def test_a_file_without_a_manifest_of_ours_is_refused(
    copy: Path, target: server.Server, text: str | None, sentence: str
) -> None:
    manifest.beside(copy).unlink()
    if text is not None:
        manifest.beside(copy).write_text(text)
    with pytest.raises(BackupError, match=sentence):
        restore.plan(target, copy)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path, target: server.Server) -> None:
    with pytest.raises(BackupError, match="there is no file"):
        restore.plan(target, tmp_path / "none.dump")
