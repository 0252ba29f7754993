"""Where the embedded servers of a data folder are reached."""

import os
import pwd
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from redis.connection import parse_url

from config.stack import paths
from config.stack.accounts import acting_as
from config.stack.ownership import claim_folder
from config.stack.processes import Account

SOCKET_PATH_LIMIT = 103  # of macOS; Linux allows 107


def test_the_sockets_of_a_deep_data_folder_stay_below_the_path_limit(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["folder"] * 20)
    longest = paths.socket_dir(deep) / ".s.PGSQL.5432.lock"
    assert len(str(longest)) <= SOCKET_PATH_LIMIT


def test_the_sockets_lie_in_the_data_folder_where_their_paths_are_short_enough(tmp_path: Path) -> None:
    assert paths.socket_dir(tmp_path) == tmp_path / "run"


def test_where_they_are_does_not_depend_on_the_callers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path.joinpath(*["folder"] * 20)
    before = paths.socket_dir(deep)
    for name in ("HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    assert paths.socket_dir(deep) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_root_and_the_owner_of_the_data_agree_where_they_are(tmp_path: Path) -> None:
    """Before and after the first start as root gave the data to the account, and for each of the two."""
    deep = tmp_path.joinpath(*["folder"] * 20)
    deep.mkdir(parents=True)
    sockets = paths.socket_dir(deep)
    assert sockets.parent == Path("/run")
    account = Account(pwd.getpwnam("daemon").pw_uid, pwd.getpwnam("daemon").pw_gid)
    try:
        claim_folder(sockets, account)
        os.chown(deep, *account)
        assert paths.socket_dir(deep) == sockets
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_mode & 0o001 == 0:
                folder.chmod(0o711)
        with acting_as(account):
            assert paths.socket_dir(deep) == sockets
    finally:
        sockets.rmdir()


def test_a_folder_with_blanks_and_signs_in_its_name_is_found_by_its_address() -> None:
    odd = Path("/srv/my data & more?#%20")  # of a test's own folder the path may be too long for a socket
    assert conninfo_to_dict(paths.database_url(odd))["host"] == str(odd / "run")
    assert parse_url(paths.redis_url(odd))["path"] == str(odd / "run" / "valkey.sock")


def test_every_spelling_of_a_data_folder_leads_to_the_same_sockets(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    plain = paths.socket_dir(tmp_path / "data")
    assert paths.socket_dir(tmp_path / "link") == plain
    assert paths.socket_dir(tmp_path / "x" / ".." / "data") == plain


def test_two_data_folders_never_share_sockets(tmp_path: Path) -> None:
    assert paths.socket_dir(tmp_path / "one") != paths.socket_dir(tmp_path / "two")
