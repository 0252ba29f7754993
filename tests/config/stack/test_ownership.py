"""Who gets which folder: by descriptor, and never a folder that was put in another's place."""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.secrets_on_disk import kept_secret
from config.stack.lock import DataLock
from config.stack.ownership import OURS, claim_folder, hand_over
from config.stack.processes import Account, StackError
from tests.paths import ROOT

ACCOUNT = Account(4242, 4242)
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def owner(path: Path) -> int:
    return path.lstat().st_uid


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_new_folder_is_private_and_those_above_it_keep_their_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    claim_folder(tmp_path / "a" / "b", None)
    assert mode(tmp_path / "a" / "b") == 0o700
    assert mode(tmp_path) == 0o755


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_link_or_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "target").mkdir(mode=0o755)
    if kind == "link":
        (tmp_path / "folder").symlink_to(tmp_path / "target")
    else:
        (tmp_path / "folder").touch()
    with pytest.raises(StackError, match="is a link or a file"):
        claim_folder(tmp_path / "folder", None)
    assert mode(tmp_path / "target") == 0o755


@as_root
def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0o755)
    os.chown(tmp_path / "folder", NOBODY, NOBODY)
    for account in (None, ACCOUNT):
        with pytest.raises(StackError, match="belongs to another user"):
            claim_folder(tmp_path / "folder", account)
    assert (owner(tmp_path / "folder"), mode(tmp_path / "folder")) == (NOBODY, 0o755)


@as_root
def test_a_folder_exchanged_for_a_link_right_after_it_was_made_gives_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other user acts at the worst moment: between the making of the folder and its change of owner."""
    target = tmp_path / "of_root"
    target.mkdir(mode=0o755)
    make = os.mkdir

    def make_and_exchange(name: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        make(name, mode, dir_fd=dir_fd)
        (tmp_path / "folder").rename(tmp_path / "away")
        (tmp_path / "folder").symlink_to(target)

    monkeypatch.setattr(os, "mkdir", make_and_exchange)
    with pytest.raises(StackError, match="is a link or a file"):
        claim_folder(tmp_path / "folder", ACCOUNT)
    assert (owner(target), mode(target)) == (0, 0o755)


@as_root
def test_a_folder_exchanged_after_it_was_opened_gives_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "of_root"
    target.mkdir(mode=0o755)
    change = os.fchown

    def exchange_and_change(opened: int, uid: int, gid: int) -> None:
        (tmp_path / "folder").rename(tmp_path / "away")
        (tmp_path / "folder").symlink_to(target)
        change(opened, uid, gid)

    monkeypatch.setattr(os, "fchown", exchange_and_change)
    claim_folder(tmp_path / "folder", ACCOUNT)
    assert (owner(target), mode(target)) == (0, 0o755)
    assert (owner(tmp_path / "away"), mode(tmp_path / "away")) == (ACCOUNT.uid, 0o700)


@as_root
def test_a_folder_in_which_anybody_may_rename_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(StackError, match="can be changed by everybody"):
        claim_folder(tmp_path / "folder", ACCOUNT)


def test_everything_that_the_code_keeps_in_the_data_folder_changes_hands() -> None:
    """The servers' own modules aside, where `data_dir` is the folder of the server."""
    servers = {"postgres.py", "valkey.py", "roles.py"}
    code = [path.read_text() for path in (ROOT / "config").rglob("*.py") if path.name not in servers]
    kept = {name for text in code for name in re.findall(r'(?i)\bdata_dir / "([\w.]+)"', text)}
    assert {"secret_key", "auth_token", "postgres", "valkey", "run"} <= kept
    assert kept <= set(OURS)


@as_root
def test_handing_over_takes_what_is_ours_and_leaves_the_rest(tmp_path: Path) -> None:
    """As releases left it that ran the servers as `nobody`: with other files beside ours, and links in the data."""
    data = tmp_path / "data"
    (data / "postgres" / "base").mkdir(parents=True)
    (data / "postgres" / "base" / "1").touch()
    (data / "secret_key").touch()
    (data / "export.jsonl").touch()
    (tmp_path / "precious").touch()
    (data / "postgres" / "link").symlink_to(tmp_path / "precious")
    for path in (data / "postgres", data / "postgres" / "base" / "1"):
        os.chown(path, NOBODY, NOBODY)
    hand_over(data, ACCOUNT, ())
    ours = [data, data / "postgres", data / "postgres" / "base", data / "postgres" / "base" / "1"]
    assert {owner(path) for path in [*ours, data / "secret_key"]} == {ACCOUNT.uid}
    assert {owner(path) for path in (data / "export.jsonl", tmp_path / "precious")} == {0}


@as_root
def test_what_root_makes_later_is_handed_over_by_the_next_start(tmp_path: Path) -> None:
    hand_over(tmp_path, ACCOUNT, ())
    (tmp_path / "admin_login").touch()
    hand_over(tmp_path, ACCOUNT, ())
    assert owner(tmp_path / "admin_login") == ACCOUNT.uid


@as_root
def test_a_second_name_of_a_file_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shadow").touch()
    (tmp_path / "data" / "postgres").mkdir(parents=True)
    os.link(tmp_path / "shadow", tmp_path / "data" / "postgres" / "PG_VERSION")
    with pytest.raises(StackError, match="has a second name elsewhere"):
        hand_over(tmp_path / "data", ACCOUNT, ())
    assert owner(tmp_path / "shadow") == 0


@as_root
def test_a_folder_that_holds_the_code_or_serves_the_machine_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, Path("/tmp"), Path("/root")):
        with pytest.raises(StackError, match="serves other purposes"):
            hand_over(folder, ACCOUNT, (tmp_path / "manage.py",))
    assert owner(tmp_path) == owner(Path("/tmp")) == 0


@as_root
def test_a_secret_that_root_makes_for_anothers_stack_is_that_owners(tmp_path: Path) -> None:
    os.chown(tmp_path, ACCOUNT.uid, ACCOUNT.gid)
    assert kept_secret(tmp_path / "secret_key")
    assert (owner(tmp_path / "secret_key"), mode(tmp_path / "secret_key")) == (ACCOUNT.uid, 0o600)


@as_root
@pytest.mark.parametrize("make", [os.symlink, os.link])
def test_the_lock_is_never_written_through_a_link_that_the_folders_owner_left(
    tmp_path: Path, make: Callable[..., Any]
) -> None:
    (tmp_path / "passwd").write_text("root")
    make(tmp_path / "passwd", tmp_path / "stack.lock")
    with pytest.raises(StackError, match=r"stack\.lock"):
        DataLock(tmp_path).acquire("http://127.0.0.1:8000")
    assert (tmp_path / "passwd").read_text() == "root"


@as_root
@pytest.mark.parametrize("name", ["valkey", "postgres"])
def test_another_users_folder_stops_the_start_unless_nothing_in_it_is_worth_that(
    tmp_path: Path, name: str
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / name).mkdir()
    (tmp_path / "secret_key").touch()
    os.chown(tmp_path / name, 1234, 1234)
    if name == "postgres":
        with pytest.raises(StackError, match="belongs to another user"):
            hand_over(tmp_path, ACCOUNT, ())
        return
    hand_over(tmp_path, ACCOUNT, ())
    assert (owner(tmp_path / name), owner(tmp_path / "secret_key")) == (1234, ACCOUNT.uid)
