"""`manage.py restore`: what it says before it replaces anything; tests/config/backups/ has what it restores."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import DjangoDbBlocker

from config.backups import dump
from config.backups.server import Server
from config.management.commands.restore import _named
from queueops.models import AuditLog

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ({}, ""),
        ({"a": 0}, ""),
        ({"a": 1, "b": 0, "c": 3}, "c, a"),
        ({f"t{n}": n for n in range(1, 8)}, "t7, t6, t5, t4, t3 and 2 more"),
    ],
)
def test_the_fullest_tables_are_named_first(rows: dict[str, int], named: str) -> None:
    assert _named(rows) == named


@pytest.fixture(scope="module")
def archive(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    with django_db_blocker.unblock():
        return dump.make(Server.of_settings(), tmp_path_factory.mktemp("backup"), queue_only=True)


def restore_output(*words: str) -> str:
    out = io.StringIO()
    call_command("restore", *words, stdout=out)
    return out.getvalue()


def test_a_dry_run_prints_what_would_be_replaced_and_changes_nothing(archive: Path) -> None:
    before = AuditLog.objects.count()
    reply: dict[str, Any] = json.loads(restore_output(str(archive), "--dry-run", "--json"))
    assert (reply["kind"], reply["dry_run"], reply["backup"], reply["operation"]) == (
        "queue",
        True,
        None,
        None,
    )
    assert reply["rows"].keys() == reply["replaced"].keys()
    assert AuditLog.objects.count() == before


def test_a_file_that_is_not_a_backup_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.dump").write_text("no archive")
    for name in ("a.dump", "missing.dump"):
        with pytest.raises(CommandError) as refused:
            restore_output(str(tmp_path / name), "--yes")
        assert refused.value.returncode == 3


def test_sql_of_pg_dump_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """It would run into the tables that are there, and half of it on the first error."""
    file = tmp_path / "embedding-queue-backup.sql"
    file.write_text(
        "--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.embedding_tasks (id bigint);\n"
    )
    with pytest.raises(CommandError) as refused:
        restore_output(str(file), "--queue-only", "--yes")
    assert refused.value.returncode == 3
    assert "is SQL that pg_dump wrote" in str(refused.value)
    assert "manage.py backup --queue-only" in str(refused.value)


def test_tables_with_rows_are_replaced_only_on_a_yes(archive: Path, transactional_db: None) -> None:
    AuditLog.objects.create(category="engine", message="kept")
    with pytest.raises(CommandError) as refused:
        restore_output(str(archive), "--queue-only")
    assert refused.value.returncode == 3
    assert AuditLog.objects.get().message == "kept"
