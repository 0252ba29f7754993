"""The sections of an archive are put into a database, and no more of them than the manifest says."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import pytest

from config.backups import files, manifest, pg_programs, replacing, running
from config.backups.errors import BackupError
from config.backups.running import Target
from config.backups.server import Server

pytestmark = [pytest.mark.django_db, pytest.mark.process]


@contextmanager
def prepared(server: Server, archive: Path) -> Iterator[tuple[Target, pg_programs.Programs, FileIO]]:
    """A session on an empty database with the tables of the archive, and nothing in them; rolled back at the end."""
    with files.opened(archive) as file, server.connect() as session:
        major = session.info.server_version // 10_000
        target, programs = Target(session, "public", major), pg_programs.for_server(major)
        replacing.begin(target)
        replacing.clear(target)
        running.run(target, programs, file, "pre-data")
        yield target, programs, file
        session.rollback()


def rows_of(archive: Path) -> Mapping[str, int]:
    return manifest.read(archive).rows


def count(target: Target, table: str) -> int:
    found = target.session.execute(f"SELECT count(*) FROM public.{table}".encode()).fetchone()
    assert found
    return int(found[0])


def test_every_table_is_announced_and_filled(whole: Path, target: Server) -> None:
    rows, told = rows_of(whole), list[str]()
    with prepared(target, whole) as (into, programs, file):
        running.load(into, programs, file, rows, told.append, queue_only=False)
        assert set(rows) <= set(told)
        assert {name: count(into, name) for name in rows} == rows


def test_sequences_go_on_where_they_were(whole: Path, target: Server) -> None:
    with prepared(target, whole) as (into, programs, file):
        running.load(into, programs, file, rows_of(whole), lambda name: None, queue_only=False)
        found = into.session.execute(
            "SELECT nextval('public.articles_id_seq') > max(id) FROM public.articles"
        ).fetchone()
        assert found == (True,)


def test_more_rows_than_the_manifest_speaks_of_are_refused(whole: Path, target: Server) -> None:
    rows = dict(rows_of(whole)) | {"articles": 2}
    with (
        prepared(target, whole) as (into, programs, file),
        pytest.raises(BackupError, match="more than the 2 rows of articles that its manifest speaks of"),
    ):
        running.load(into, programs, file, rows, lambda name: None, queue_only=False)


def test_of_the_queue_alone_no_other_table_is_filled(whole: Path, target: Server) -> None:
    with prepared(target, whole) as (into, programs, file):
        running.load(
            into, programs, file, {"embedding_audit_logs": 10**6}, lambda name: None, queue_only=True
        )
        assert count(into, "embedding_audit_logs") > 0
        assert count(into, "articles") == 0
