"""Archives by somebody else: what one may do is what its role may do, and a failure changes nothing."""

import os
import random
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config.backups import dump, manifest, restore
from config.backups.errors import BackupError
from config.backups.server import Server
from lib.scratch_databases import drop_database
from tests.config.backups.archives import (
    counts,
    describe,
    described,
    execute,
    patch,
    restored,
    state,
    update_manifest,
)
from tests.config.backups.test_manifest import ESCAPE
from tests.databases import empty_database
from tests.starting import start

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
# The place of a text of the same length that the archive's author wants to be run.
BLANK = "x" * 200


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    """The database in which an archive's author works."""
    with empty_database("elsewhere") as url:
        yield server_at(url)


@pytest.fixture
def owner(target: Server) -> Server:
    """The target as the tests' own role, which owns it and is not a superuser; the extension is there."""
    return target


@pytest.fixture
def superuser(target: Server) -> Server:
    """The target as a superuser, where the tests' server has one for us."""
    if not (url := os.environ.get("VECTORPRESS_TEST_MAINTENANCE_URL")):
        pytest.skip("VECTORPRESS_TEST_MAINTENANCE_URL names no superuser of the tests' server")
    return Server(dict(server_at(url).parameters) | {"dbname": target.database})


def server_at(url: str) -> Server:
    return Server({name: str(value) for name, value in conninfo_to_dict(url).items()})


def manage(of: Server, data_dir: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Runs a command on a database, as an operator does."""
    found = of.parameters
    url = f"postgresql://{found['user']}@/{found['dbname']}?host={found['host']}"
    return start(*map(str, words), DATABASE_URL=url, DATA_DIR=str(data_dir))


def test_a_command_in_a_manifest_is_refused_by_the_command_line(
    copy: Path, target: Server, tmp_path: Path
) -> None:
    canary, fields = tmp_path / "canary", described(copy)
    describe(copy, fields | {"rows": {ESCAPE.format(f"touch {canary}"): 1} | fields["rows"]})
    for option in ("--yes", "--dry-run"):
        done = manage(target, tmp_path, "restore", copy, option)
        assert done.returncode == 3
        assert "a key of rows is " in done.stderr
        assert "Traceback" not in done.stderr
    assert not canary.exists()
    assert not state(target)


def test_a_restore_says_where_the_backup_is_from_and_whose_rights_it_has(
    copy: Path, target: Server, tmp_path: Path
) -> None:
    fields = described(copy)
    done = manage(target, tmp_path, "restore", copy, "--yes")
    assert done.returncode == 0, done.stderr
    user = target.parameters["user"]
    assert (
        f"rows from {copy}, made at {fields['made_at']} of the database {fields['database']} (Post"
        in done.stderr
    )
    assert f"into the database {target.database} as the role {user}." in done.stderr
    assert "restore only a file that you trust" in done.stdout


def test_the_owner_of_a_database_restores_without_being_a_superuser(
    whole: Path, queue: Path, owner: Server, source: Server
) -> None:
    for _ in range(2):  # into the empty database, then over what is there
        planned = restore.plan(owner, whole)
        assert (planned.role, planned.is_superuser) == (owner.parameters["user"], False)
        restore.restore(owner, planned)
    assert state(owner) == state(source)
    restored(owner, queue)
    assert counts(owner, "articles", "embedding_tasks") == {"articles": 3, "embedding_tasks": 3}


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER DATABASE {database} SET local_preload_libraries = ''x''",
        "ALTER DATABASE {database} CONNECTION LIMIT 0",
        "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC",
        "ALTER ROLE {role} SET statement_timeout = 1",
        "ALTER ROLE {role} IN DATABASE {database} SET statement_timeout = 1",
    ],
)
def test_an_archive_that_would_lock_out_its_database_is_refused(
    statement: str, elsewhere: Server, whole: Path, target: Server, tmp_path: Path
) -> None:
    run = statement.format(database=target.database, role=target.parameters["user"])
    execute(
        elsewhere,
        "CREATE TABLE articles (id bigint, title text)",
        f"""CREATE FUNCTION evil(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
            IF current_database() <> '{elsewhere.database}' THEN EXECUTE '{run}'; END IF;
            RETURN $1;
        END $$""",
        "CREATE FUNCTION harmless(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS "
        "'BEGIN RETURN public.evil($1); END'",
        "CREATE INDEX evil ON articles (harmless(title))",
        "INSERT INTO articles VALUES (1, 'one')",
    )
    archive = dump.make(elsewhere, tmp_path)
    restored(target, whole)
    before = state(target)
    with pytest.raises(BackupError, match="nothing was changed: the archive changes settings, limits"):
        restored(target, archive)
    assert state(target) == before


def test_a_program_in_a_function_of_an_archive_does_not_run_as_the_owner(
    elsewhere: Server, whole: Path, superuser: Server, owner: Server, tmp_path: Path
) -> None:
    canary = Path("/tmp") / f"canary-{os.getpid()}"  # the server's account may write there
    execute(
        elsewhere,
        "CREATE TABLE articles (id bigint, title text)",
        f"""CREATE FUNCTION evil(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
            IF current_database() <> '{elsewhere.database}' THEN
                EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch {canary}''';
            END IF;
            RETURN $1;
        END $$""",
        # a function that an index uses may not copy, but one that it calls may
        """CREATE FUNCTION harmless(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
            'BEGIN RETURN public.evil($1); END'""",
        "CREATE INDEX evil ON articles (harmless(title))",
        "INSERT INTO articles VALUES (1, 'one')",
    )
    archive = dump.make(elsewhere, tmp_path)
    restored(owner, whole)
    before = state(owner)
    with pytest.raises(BackupError, match="nothing was changed: permission denied to COPY to or from an ext"):
        restored(owner, archive)
    assert not canary.exists()
    assert state(owner) == before
    try:
        restored(superuser, archive)  # a superuser may: the archive does what it was made for
        assert canary.exists()
    finally:
        canary.unlink(missing_ok=True)


def spoiled(elsewhere: Server, folder: Path, body: str) -> Path:
    """An archive in which a function's definition is followed by a text of its author's choice."""
    execute(
        elsewhere,
        "CREATE TABLE articles (id bigint, title text)",
        "INSERT INTO articles VALUES (1, 'one')",
        f"CREATE FUNCTION said() RETURNS text LANGUAGE sql AS $$ SELECT '{BLANK}'::text $$",
    )
    archive = dump.make(elsewhere, folder)
    patch(archive, f"'{BLANK}'::text $$;\n", f"''::text $$;\n{body}\n")
    return archive


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("\\! touch {canary}", 'syntax error at or near "\\\\"'),
        ("\\copy (SELECT 1) TO PROGRAM 'touch {canary}'", 'syntax error at or near "\\\\"'),
        ("COMMIT;", "EXECUTE of transaction commands is not implemented"),
        ("ROLLBACK; CREATE TABLE stays (id int); COMMIT;", "EXECUTE of transaction commands is not"),
        ("DO 'BEGIN COMMIT; END';", "invalid transaction termination"),
        ("COPY public.articles (id) FROM stdin;", "cannot COPY to/from client in PL/pgSQL"),
        ("CREATE FUNCTION open() RETURNS int LANGUAGE sql AS $a$", "unterminated dollar-quoted string"),
        ("SELECT 'open", "unterminated quoted string"),
        ("/* open", "unterminated /\\* comment"),
    ],
)
def test_a_hostile_statement_of_an_archive_is_refused_and_changes_nothing(
    whole: Path, elsewhere: Server, target: Server, tmp_path: Path, body: str, sentence: str
) -> None:
    canary = tmp_path / "canary"
    archive = spoiled(elsewhere, tmp_path, body.format(canary=canary))
    restored(target, whole)
    before = state(target)
    with pytest.raises(BackupError, match=f"^nothing was changed: .*{sentence}") as refused:
        restored(target, archive)
    assert str(refused.value).isprintable()
    assert not canary.exists()
    assert state(target) == before


def test_the_queue_of_an_archive_comes_without_its_statements(
    queue_copy: Path, whole: Path, target: Server
) -> None:
    restored(target, whole)
    patch(queue_copy, "CREATE TABLE public.embedding_tasks (", "DROP TABLE public.articles; --")
    restored(target, queue_copy)
    assert counts(target, "articles", "embedding_tasks") == {"articles": 3, "embedding_tasks": 3}


def test_copy_blocks_within_a_function_are_text(elsewhere: Server, target: Server, tmp_path: Path) -> None:
    execute(
        elsewhere,
        "CREATE TABLE articles (id bigint, title text)",
        "INSERT INTO articles VALUES (1, 'one')",
        """CREATE FUNCTION said() RETURNS text LANGUAGE sql AS $body$ SELECT '
COPY public.articles (id, title) FROM stdin;
2\ttwo
\\.
\\restrict x
SET transaction_timeout = 0;
'::text $body$""",
    )
    archive = dump.make(elsewhere, tmp_path)
    restored(target, archive)
    with elsewhere.connect() as one, target.connect() as other:
        assert one.execute("SELECT said()").fetchone() == other.execute("SELECT said()").fetchone()
    assert counts(target, "articles") == {"articles": 1}


def test_an_archive_may_not_unpack_to_more_rows_than_it_says(whole: Path, copy: Path, target: Server) -> None:
    restored(target, whole)
    before, fields = state(target), described(copy)
    describe(copy, fields | {"rows": fields["rows"] | {"articles": 2}})
    with pytest.raises(
        BackupError, match="nothing was changed: the archive has more than the 2 rows of articles"
    ):
        restored(target, copy)
    del fields["rows"]["articles"]
    describe(copy, fields)
    with pytest.raises(
        BackupError, match="nothing was changed: the archive has more than the 0 rows of articles"
    ):
        restored(target, copy)
    assert state(target) == before


def test_a_message_of_an_archive_does_not_reach_the_terminal_as_it_is(
    elsewhere: Server, target: Server, tmp_path: Path
) -> None:
    body = "DO 'BEGIN RAISE EXCEPTION E''a\\x1b[2J\\u202eb''; END';"
    archive = spoiled(elsewhere, tmp_path, body)
    with pytest.raises(BackupError, match=r"^nothing was changed: a ") as refused:
        restored(target, archive)
    assert str(refused.value).isprintable()


def test_a_server_that_is_older_gets_no_setting_that_it_does_not_know(
    whole: Path, target: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = replace(restore.plan(target, whole), major=16)
    execute(target, f"ALTER DATABASE {target.database} SET transaction_timeout = '1h'")
    restore.restore(target, planned)
    assert counts(target, "articles") == {"articles": 3}


def test_names_that_a_backup_cannot_list_are_refused_before_it_is_made(
    elsewhere: Server, tmp_path: Path
) -> None:
    execute(elsewhere, 'CREATE TABLE "a""; DROP TABLE b; --" (id int)')
    with pytest.raises(BackupError, match="cannot be backed up: expected a name of A-Z, a-z, 0-9 and _ only"):
        dump.make(elsewhere, tmp_path)
    assert not [*tmp_path.iterdir()]


def test_large_objects_are_refused_when_the_backup_is_made(elsewhere: Server, tmp_path: Path) -> None:
    execute(elsewhere, "CREATE TABLE articles (id int)", "SELECT lo_from_bytea(0, 'large')")
    with pytest.raises(BackupError, match=r"the backup cannot be read back: .* and no large objects"):
        dump.make(elsewhere, tmp_path)
    assert not [*tmp_path.iterdir()]


def test_the_name_of_a_database_is_not_a_path(target: Server, tmp_path: Path) -> None:
    odd = f"../-odd\n$(x)_{os.getpid()}"
    with psycopg.connect(make_conninfo(**target.parameters), autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(odd)))
    try:
        there = Server(dict(target.parameters) | {"dbname": odd})
        execute(
            there,
            'CREATE SCHEMA "a*""b"',
            "CREATE TABLE articles (id int)",
            "CREATE TABLE queue_state (id int)",
        )
        archive = dump.make(there, tmp_path / "folder")
        assert archive.parent == tmp_path / "folder"
        assert archive.name.startswith("_odd_x_")
        assert described(archive)["database"] == odd.replace("\n", "?")
        restored(target, archive)
    finally:
        with psycopg.connect(make_conninfo(**target.parameters), autocommit=True) as session:
            drop_database(session, odd)


def test_a_file_that_is_called_like_an_option_is_a_file(
    copy: Path, target: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copy.parent)
    named = Path("--help.dump")
    described_by = described(copy) | {"file": named.name}
    copy.rename(named)
    describe(named, described_by)
    restored(target, named)
    assert counts(target, "articles") == {"articles": 3}


@pytest.mark.parametrize("ending", [".dump.partial", ".dump", ".dump.json", ".dump.json.partial"])
def test_a_link_in_the_place_of_a_backup_is_not_followed(source: Server, tmp_path: Path, ending: str) -> None:
    victim, folder, now = tmp_path / "victim", tmp_path / "folder", datetime.now(UTC)
    victim.write_text("untouched")
    folder.mkdir()
    for seconds in range(60):  # somebody who may write to the folder can guess the name
        name = f"{source.database}-queue-{now + timedelta(seconds=seconds):%Y%m%d-%H%M%S}{ending}"
        (folder / name).symlink_to(victim)
    if ending == ".dump.partial":
        with pytest.raises(BackupError, match="another backup is being written to"):
            dump.make(source, folder, queue_only=True)
    else:
        made = dump.make(source, folder, queue_only=True)
        assert not made.is_symlink()
        assert manifest.read(made).kind == "queue"
    assert victim.read_text() == "untouched"


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_archive_that_its_manifest_vouches_for_is_refused_or_restored(
    whole: Path, copy: Path, target: Server, seed: int
) -> None:
    restored(target, whole)
    before, damage = state(target), random.Random(seed)
    content = bytearray(copy.read_bytes())
    for _ in range(3):
        content[damage.randrange(5, len(content))] = damage.randrange(256)
    copy.write_bytes(content)
    update_manifest(copy)
    try:
        restored(target, copy)
    except BackupError as error:
        said = str(error)
        assert said.startswith("nothing was changed: ")
        assert said.isprintable()
        assert state(target) == before


def test_a_folder_that_cannot_be_written_to_is_named(source: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BackupError, match=r"the backup cannot be written to .*file"):
        dump.make(source, tmp_path / "file")
