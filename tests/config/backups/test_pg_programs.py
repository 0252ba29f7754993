"""Postgres' own programs: which are taken, and what is heard of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from config.backups import files, pg_programs
from config.backups.errors import BackupError
from config.backups.pg_programs import Programs

pytestmark = pytest.mark.process


def test_programs_older_than_the_server_are_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match=r"Postgres 99, .* those found are of 1.* POSTGRES_BIN_DIR"):
        pg_programs.for_server(99)
    monkeypatch.setenv("POSTGRES_BIN_DIR", str(tmp_path))
    with pytest.raises(BackupError, match="but none were found"):
        pg_programs.for_server(16)


type Script = Callable[[str, str], None]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Writes programs of the test's own into its folder."""

    def write(name: str, text: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)

    return write


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path, 17)


@pytest.mark.parametrize(
    ("said", "major"),
    [
        ("pg_dump (PostgreSQL) 17.2 (Debian 17.2-1)", 17),
        ("pg_dump (PostgreSQL) 18beta1", 18),
        ("nonsense", None),
    ],
)
def test_the_version_is_what_a_program_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: Script, said: str, major: int | None
) -> None:
    script("pg_dump", f"echo '{said}'")
    script("pg_restore", "")
    monkeypatch.setenv("POSTGRES_BIN_DIR", str(tmp_path))
    if major is None:
        with pytest.raises(BackupError):
            pg_programs.for_server(1)
        return
    assert pg_programs.for_server(major) == Programs(tmp_path, major)
    with pytest.raises(BackupError):
        pg_programs.for_server(major + 1)


@pytest.mark.parametrize("broken", ["pg_dump", "pg_restore"])
def test_a_folder_that_lacks_a_program_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: Script, broken: str
) -> None:
    for name in {"pg_dump", "pg_restore"} - {broken}:
        script(name, "echo '(PostgreSQL) 17'")
    monkeypatch.setenv("POSTGRES_BIN_DIR", str(tmp_path))
    with pytest.raises(BackupError, match="none were found"):
        pg_programs.for_server(1)


def test_a_program_that_cannot_be_run_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("pg_dump", "pg_restore"):
        (tmp_path / name).write_text("no program")
    monkeypatch.setenv("POSTGRES_BIN_DIR", str(tmp_path))
    with pytest.raises(BackupError, match="none were found"):
        pg_programs.for_server(1)


def test_a_dump_writes_to_the_open_file_and_reports_each_table(
    tmp_path: Path, script: Script, programs: Programs
) -> None:
    script(
        "pg_dump",
        'for word; do case $word in --file=*) printf archive > "${word#--file=}";; esac; done\n'
        "echo 'pg_dump: dumping contents of table \"public.articles\"' >&2; echo noise >&2\n"
        "echo 'pg_dump: dumping contents of table public.tasks' >&2",
    )
    tables: list[str] = []
    with files.created(tmp_path / "a") as file:
        programs.dump(file, environment={}, tell=tables.append)
    assert (tmp_path / "a").read_bytes() == b"archive"
    assert tables == ["articles", "tasks"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("echo 'pg_dump: error: no \33[2J room' >&2; exit 1", "no"), ("exit 3", "exited with 3")],
)
def test_a_dump_that_fails_says_why_on_one_line(
    tmp_path: Path, script: Script, programs: Programs, text: str, reason: str
) -> None:
    script("pg_dump", text)
    with files.created(tmp_path / "a") as file, pytest.raises(BackupError, match=reason) as failed:
        programs.dump(file, environment={}, tell=lambda _: None)
    assert str(failed.value).isprintable()


def test_a_section_is_read_from_the_beginning_of_the_archive(
    tmp_path: Path, script: Script, programs: Programs
) -> None:
    script("pg_restore", 'cat; echo " $*"')
    with files.created(tmp_path / "a") as file:
        file.write(b"archive")
        with programs.section(file, "data", "--table=x") as section:
            said = section.read().decode()
    assert said.startswith("archive")
    assert "--section=data --table=x" in said


@pytest.mark.parametrize("text", ["echo half; echo 'not an archive' >&2; exit 1", "exit 1"])
def test_a_section_that_cannot_be_read_to_its_end_is_an_error(
    tmp_path: Path, script: Script, programs: Programs, text: str
) -> None:
    script("pg_restore", text)
    with (
        files.created(tmp_path / "a") as file,
        pytest.raises(BackupError, match=r"not an archive|exited with 1"),
        programs.section(file, "data") as section,
    ):
        section.read()


def test_a_reader_that_closes_the_pipe_stops_the_program(
    tmp_path: Path, script: Script, programs: Programs
) -> None:
    script("pg_restore", "exec yes")
    with (
        files.created(tmp_path / "a") as file,
        pytest.raises(LookupError),
        programs.section(file, "data") as section,
    ):
        section.read(10)
        raise LookupError
