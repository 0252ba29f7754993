"""Root's start in a folder that another user controls: a link put in a folder's place gives nothing of root's away."""

import os
import pwd
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.secrets_on_disk import data_folder, kept_secret
from config.stack import roles
from config.stack.lock import DataLock
from config.stack.orphans import user_of
from config.stack.ownership import claim_folder, hand_over
from config.stack.postgres import PostgresServer
from config.stack.processes import Account, StackError
from config.stack.work_as_owner import acting, working_in

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights that a link can misuse")


@pytest.fixture
def account() -> Account:
    someone = pwd.getpwnam("daemon")
    return Account(someone.pw_uid, someone.pw_gid)


@pytest.fixture
def home(account: Account) -> Iterator[Path]:
    """A user's folder with a data folder in it."""
    with tempfile.TemporaryDirectory(prefix="vectorpress-test-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        for made in (home, home / "data"):
            made.mkdir()
            os.chown(made, account.uid, account.gid)
        yield home


@pytest.fixture
def of_root(home: Path) -> Path:
    """A folder of root's with what Vectorpress would take for its own."""
    folder = home.parent / "of_root"
    for name in ("run", "backups", "postgres"):
        (folder / name).mkdir(parents=True)
    (folder / "backups" / "all.dump").touch()
    return folder


def exchange(home: Path, of_root: Path) -> None:
    """What the owner of the folder above the data can do at any moment."""
    (home / "data").rename(home / "away")
    (home / "data").symlink_to(of_root)


def state(folder: Path) -> list[tuple[str, int, int]]:
    found = [folder, *sorted(folder.rglob("*"))]
    return [(str(path), path.lstat().st_uid, path.lstat().st_mode) for path in found]


def test_a_start_whose_data_folder_is_exchanged_changes_nothing_of_roots(
    home: Path, of_root: Path, account: Account
) -> None:
    server = PostgresServer(home / "data" / "postgres", home / "data" / "run")
    assert server.account == account
    exchange(home, of_root)
    before = state(of_root)
    with pytest.raises(StackError):
        server.prepare()
    assert state(of_root) == before


def test_every_step_of_a_start_leaves_roots_folder_alone(home: Path, of_root: Path, account: Account) -> None:
    exchange(home, of_root)
    before, data = state(of_root), home / "data"

    def access_files() -> None:
        with acting(account, data / "postgres"):
            roles.write_access(data / "postgres", account, 0)

    steps: dict[str, Callable[[], object]] = {
        "claim": lambda: claim_folder(data / "run", account),
        "claim new": lambda: claim_folder(data / "postgres.new", account),
        "hand over": lambda: hand_over(data, account, ()),
        "access": access_files,
        "lock": lambda: DataLock(data).acquire("http://127.0.0.1:8000"),
        "secret": lambda: kept_secret(data / "secret_key"),
    }
    for name, step in steps.items():
        with pytest.raises((StackError, ImproperlyConfigured)):
            step()
        assert state(of_root) == before, name


def test_a_file_of_roots_in_a_folder_that_another_controls_is_not_given_away(
    home: Path, account: Account
) -> None:
    (home / "data" / "secret_key").touch()
    with pytest.raises(StackError, match="secret_key belongs to another user"):
        hand_over(home / "data", account, ())
    assert (home / "data" / "secret_key").stat().st_uid == 0


def test_a_folder_of_roots_that_another_can_exchange_is_refused_with_the_command_that_mends_it(
    home: Path, account: Account
) -> None:
    os.chown(home / "data", 0, 0)
    with pytest.raises(StackError, match=f"run chown -R daemon {home}/data"):
        hand_over(home / "data", account, ())
    with pytest.raises(ImproperlyConfigured, match=f"run chown -R daemon {home}/data"):
        kept_secret(home / "data" / "secret_key")


def test_a_data_folder_named_by_another_users_link_is_refused(home: Path, of_root: Path) -> None:
    exchange(home, of_root)
    with pytest.raises(ImproperlyConfigured, match="a link that another user than root can change"):
        data_folder(home / "data")


def test_a_link_of_roots_is_followed(home: Path, of_root: Path, account: Account) -> None:
    link = home.parent / "link"
    link.symlink_to(of_root.name)
    assert data_folder(link) == of_root
    hand_over(link, account, ())
    assert (of_root / "backups" / "all.dump").stat().st_uid == account.uid


def test_a_folder_that_serves_the_machine_is_known_by_every_name(home: Path, account: Account) -> None:
    link = home.parent / "link"
    link.symlink_to("/var/lib")
    with pytest.raises(StackError, match="serves other purposes"):
        hand_over(link, account, ())


def test_what_is_missing_in_a_users_home_is_made_as_that_user(home: Path, account: Account) -> None:
    assert kept_secret(home / "new" / "secret_key")
    for made in (home / "new", home / "new" / "secret_key"):
        assert made.stat().st_uid == account.uid


def test_root_is_root_again_afterwards(home: Path, account: Account) -> None:
    with working_in(home / "data"):
        assert (os.geteuid(), os.getegid()) == account
        assert user_of(os.getpid()) == account.uid
    assert (os.geteuid(), os.getegid()) == (0, 0)
    (home.parent / "made").touch()
    assert (home.parent / "made").stat().st_uid == 0
