"""What is read of a data folder at a start: small regular files, and no process but the server's own is ended."""

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from access.token_file import replace_private
from config.stack import orphans, roles
from config.stack.firststart import FirstImport
from config.stack.orphans import end_leftover, kept_text
from config.stack.processes import StackError
from tests.waiting import wait_until

pytestmark = pytest.mark.process

KINDS = ("FIFO", "endless", "link", "folder", "large")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts processes of others")


def put(path: Path, kind: str) -> None:
    """What its owner may leave in the place of a small file."""
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    elif kind == "link":
        path.with_name("target").write_text("1\n")
        path.symlink_to("target")
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"1" * 1_000_000)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_a_small_file_stops_the_start_with_a_sentence(tmp_path: Path, kind: str) -> None:
    readers: dict[str, Callable[[], object]] = {
        "pg_hba.conf": lambda: roles.write_access(tmp_path, None, os.geteuid()),
        "postmaster.pid": lambda: end_leftover(tmp_path / "postmaster.pid", "x", "x", signal.SIGTERM),
        "first_import": lambda: FirstImport(tmp_path).wanted(0),
    }
    for name, read in readers.items():
        put(tmp_path / name, kind)
        with pytest.raises(StackError, match=rf"{name} cannot be read \(.+\): a regular file was expected"):
            read()


def test_a_missing_file_is_empty(tmp_path: Path) -> None:
    assert kept_text(tmp_path / "missing") == ""


@pytest.mark.parametrize("first", ["-1", "0x1", "", "1" * 5_000, "²"])
def test_a_process_id_that_is_none_ends_nothing(tmp_path: Path, first: str) -> None:
    (tmp_path / "pid").write_text(f"{first}\n")
    end_leftover(tmp_path / "pid", "python", str(tmp_path), signal.SIGTERM)


def test_a_process_that_only_speaks_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    """Such as an editor or a backup of the operator's, whose number the folder's owner wrote into the file."""
    program = [sys.executable, "-c", "import time; time.sleep(60)", "/bin/postgres -D", str(tmp_path)]
    with subprocess.Popen(program) as stranger:
        (tmp_path / "pid").write_text(f"{stranger.pid}\n")
        end_leftover(tmp_path / "pid", "postgres", str(tmp_path), signal.SIGKILL)
        assert stranger.poll() is None
        stranger.kill()


@as_root
def test_a_process_of_another_user_is_left_alone(tmp_path: Path) -> None:
    someone = pwd.getpwnam("daemon")
    with subprocess.Popen(
        ["/bin/sh", "-c", "read line", str(tmp_path)], user=someone.pw_uid, stdin=subprocess.PIPE
    ) as stranger:
        wait_until(lambda: "/sh " in orphans.command_line(stranger.pid), what="its command line")
        (tmp_path / "pid").write_text(f"{stranger.pid}\n")
        end_leftover(tmp_path / "pid", "sh", str(tmp_path), signal.SIGKILL)
        assert stranger.poll() is None
        stranger.kill()


def test_a_server_left_behind_is_ended(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/sh", "-c", "read line", str(tmp_path)], stdin=subprocess.PIPE) as server:
        wait_until(lambda: "/sh " in orphans.command_line(server.pid), what="its command line")
        (tmp_path / "pid").write_text(f"{server.pid}\n")
        assert orphans.user_of(server.pid) == os.geteuid()
        end_leftover(tmp_path / "pid", "sh", str(tmp_path), signal.SIGKILL)
        assert server.wait(10) == -signal.SIGKILL


def test_a_replaced_token_stays_its_owners_and_takes_no_prepared_file(tmp_path: Path) -> None:
    prepared = tmp_path / f"auth_token.{os.getpid()}"
    prepared.write_text("")
    prepared.chmod(0o666)
    (tmp_path / "auth_token").write_text("old\n")
    if os.geteuid() == 0:
        os.chown(tmp_path / "auth_token", 4242, 4242)
    replace_private(tmp_path / "auth_token", "new")
    found = (tmp_path / "auth_token").stat()
    assert (found.st_mode & 0o777, found.st_uid) == (0o600, 4242 if os.geteuid() == 0 else os.geteuid())


@as_root
def test_a_user_who_is_not_root_replaces_a_token_without_giving_it_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may write to the folder only: the file is theirs afterwards, and nothing fails."""
    someone = pwd.getpwnam("daemon")
    (tmp_path / "auth_token").write_text("old\n")
    os.chown(tmp_path / "auth_token", 4242, 4242)
    os.chown(tmp_path, someone.pw_uid, someone.pw_gid)
    monkeypatch.chdir(tmp_path)
    os.seteuid(someone.pw_uid)
    try:
        replace_private(Path("auth_token"), "new")
    finally:
        os.seteuid(0)
    assert (tmp_path / "auth_token").stat().st_uid == someone.pw_uid
