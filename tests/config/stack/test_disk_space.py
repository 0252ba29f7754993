"""A start on a full disk: one sentence, no litter, and a way in for whoever wants to remove something."""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.secrets_on_disk import kept_secret
from config.stack import disk_reserve, disk_space, firststart, roles
from config.stack.lock import DataLock
from tests.config.live_processes import free_port
from tests.config.stack.stacks import KEPT_FROM_THE_SHELL, Stack
from tests.paths import ROOT

URL = "http://127.0.0.1:8000"
MIB = 1024 * 1024


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process may grow inside, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_secret_that_finds_no_room_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal, no_room():
        kept_secret(tmp_path / "secret_key")
    assert str(refusal.value).startswith(f"no room on the disk of {tmp_path} (")
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_a_login_that_finds_no_room_leaves_no_half_of_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File too large"), no_room():
        firststart.write_private(tmp_path / "admin_login", "admin\npassword\n")
    assert list(tmp_path.iterdir()) == []


def test_who_may_connect_stays_as_it_was_where_there_is_no_room_to_write_it(tmp_path: Path) -> None:
    (tmp_path / "pg_hba.conf").write_text("as it was\n")
    with pytest.raises(OSError, match="File too large"), no_room():
        roles.write_access(tmp_path, None, os.geteuid())
    assert (tmp_path / "pg_hba.conf").read_text() == "as it was\n"
    assert [path.name for path in tmp_path.iterdir()] == ["pg_hba.conf"]


def test_the_lock_is_taken_without_room(tmp_path: Path) -> None:
    for _ in range(2):
        lock = DataLock(tmp_path)
        with no_room():
            lock.acquire(URL)
        lock.release()
    lock = DataLock(tmp_path)
    lock.acquire(f"{URL}/a/longer/one")
    lock.release()
    lock.acquire(URL)
    assert (tmp_path / "stack.lock").read_text() == f"{os.getpid()}\n{URL}\n"
    lock.release()


def test_the_sentence_says_where_how_much_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_space, "NEEDED", 2**62)
    assert disk_space.is_short(tmp_path / "to be made")
    said = disk_space.sentence(tmp_path / "to be made")
    assert said.startswith(f"no room on the disk of {tmp_path / 'to be made'} (")
    assert "bytes free; a start needs" in said
    assert said.endswith("or set DATA_DIR to a folder with room")


def test_a_reserve_is_kept_once_and_given_up_only_where_room_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_reserve.keep(tmp_path)
    kept = tmp_path / disk_reserve.NAME
    assert (kept.stat().st_mode & 0o777, kept.stat().st_blocks * 512 >= disk_reserve.BYTES) == (0o600, True)
    disk_reserve.keep(tmp_path)
    assert not disk_reserve.give_up(tmp_path)
    monkeypatch.setattr(disk_space, "NEEDED", 2**62)
    assert disk_reserve.give_up(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert not disk_reserve.give_up(tmp_path)


def test_no_reserve_is_made_where_it_would_take_what_the_data_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_reserve, "_KEPT_FROM", 2**62)
    disk_reserve.keep(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root follows nobody's links")
def test_a_link_in_the_place_of_the_reserve_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").write_text("kept")
    (tmp_path / disk_reserve.NAME).symlink_to(tmp_path / "elsewhere")
    disk_reserve.keep(tmp_path)
    monkeypatch.setattr(disk_space, "NEEDED", 2**62)
    disk_reserve.give_up(tmp_path)
    assert (tmp_path / "elsewhere").read_text() == "kept"


@pytest.mark.process
def test_a_first_start_without_room_is_one_line_and_exits_with_2(tmp_path: Path) -> None:
    ended = subprocess.run(
        ["/bin/sh", "-c", f'ulimit -f 0; exec "{sys.executable}" manage.py runstack --no-import'],
        cwd=ROOT,
        env={name: os.environ[name] for name in KEPT_FROM_THE_SHELL if name in os.environ}
        | {"DATA_DIR": str(tmp_path / "var"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"cannot start: no room on the disk of {tmp_path / 'var'} (")
    assert list((tmp_path / "var").iterdir()) == []


@contextmanager
def started(data_dir: Path) -> Iterator[Stack]:
    """A stack that has started and is stopped in the end."""
    stack = Stack(data_dir, free_port(), EMBEDDING_PROVIDER="ollama")
    try:
        stack.await_line("stop    Ctrl-C")
        yield stack
    finally:
        stack.end()


def manage(data_dir: Path, command: str) -> subprocess.CompletedProcess[str]:
    """A management command on the data of a stack that runs."""
    kept = {name: os.environ[name] for name in KEPT_FROM_THE_SHELL if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *command.split()],
        cwd=ROOT,
        env=kept | {"DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )


class Disk:
    """A small file system in memory; `fill` leaves so many bytes of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, left: int = 0) -> None:
        with self._filler.open("wb") as file:
            free = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize
            os.posix_fallocate(file.fileno(), 0, max(free - left, 1))

    def empty(self) -> None:
        self._filler.unlink(missing_ok=True)


@pytest.fixture
def disk() -> Iterator[Disk]:
    with tempfile.TemporaryDirectory(
        prefix="vectorpress-test-"
    ) as folder:  # the servers' account may enter it
        kind = f"size={200 * MIB},mode=755"
        words = ["mount", "-t", "tmpfs", "-o", kind, "none", folder]
        mounted = subprocess.run(words, capture_output=True, text=True, check=False)
        if mounted.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
        try:
            yield Disk(Path(folder))
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def refused(data_dir: Path) -> str:
    stack = Stack(data_dir, free_port(), EMBEDDING_PROVIDER="ollama")
    code, _ = stack.await_end()
    assert code == 2, stack.output
    (sentence,) = [line for line in stack.lines if "no room on the disk of" in line]
    assert "Traceback" not in stack.output
    return sentence


@pytest.mark.slow
@pytest.mark.parametrize("left", [0, 4_096, 12_288, 1 * MIB, 20 * MIB])
def test_a_first_start_on_a_full_disk_leaves_nothing_half_made(disk: Disk, left: int) -> None:
    disk.fill(left)
    data_dir = disk.folder / "var"
    assert str(data_dir) in refused(data_dir)
    made = {path.name for path in data_dir.iterdir()} if data_dir.exists() else set()
    assert made <= {"secret_key", "auth_token", "stack.lock", "run", "postgres"}
    assert not any(path.is_file() for path in data_dir.glob("postgres/*"))


@pytest.mark.slow
def test_an_existing_installation_starts_once_from_its_reserve_and_then_says_what_to_do(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = disk.folder / "var"
    with started(data_dir):
        pass
    monkeypatch.setattr(disk_reserve, "_KEPT_FROM", 0)  # this disk is too small for one otherwise
    disk_reserve.keep(data_dir)
    os.chown(data_dir / disk_reserve.NAME, data_dir.stat().st_uid, data_dir.stat().st_gid)
    disk.fill()
    with started(data_dir) as second:
        assert "The reserve was deleted for this start: remove something now" in second.output
        cleaned = manage(data_dir, "queue_admin cleanup --days 0 --yes --reason no-room")
        assert cleaned.returncode == 0, cleaned.stderr
    disk.empty()
    disk.fill()
    refused(data_dir)
    disk.empty()
    with started(data_dir):
        pass
