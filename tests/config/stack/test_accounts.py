"""As which account root's stack runs, and what a process keeps of root's rights."""

import os
import pwd
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.stack import accounts, capabilities
from config.stack.processes import Account, Process, StackError
from tests.waiting import wait_until

pytestmark = pytest.mark.process

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the stack as another account")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder of root's that every account may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="vectorpress-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def account(reachable: Path) -> Account:
    found = accounts.account_for(reachable)
    assert found
    return found


def result_as_member(*command: str, account: Account | None, kept: int = 0) -> tuple[int | None, str]:
    """Exit code and output of a program that runs as a member does."""
    process = Process("member", list(command), account=account)
    process.capabilities = kept
    process.start()
    wait_until(process.exited.is_set)
    return process.returncode, "\n".join(process.last_lines)


@pytest.mark.skipif(os.geteuid() == 0, reason="root does not stay root")
def test_an_ordinary_users_stack_runs_as_that_user(tmp_path: Path) -> None:
    assert accounts.account_for(tmp_path) is None


@as_root
def test_roots_stack_runs_as_the_owner_of_the_data(tmp_path: Path) -> None:
    someone = pwd.getpwnam("daemon")
    os.chown(tmp_path, someone.pw_uid, 0)
    assert accounts.account_for(tmp_path) == Account(someone.pw_uid, someone.pw_gid)


@as_root
@pytest.mark.parametrize("owner", [0, 65534])
def test_data_of_root_or_nobody_goes_to_the_account_that_run_as_names(tmp_path: Path, owner: int) -> None:
    os.chown(tmp_path, owner, owner)
    someone = pwd.getpwnam("daemon")
    assert accounts.account_for(tmp_path, "daemon") == Account(someone.pw_uid, someone.pw_gid)


@as_root
@pytest.mark.parametrize("name", ["root", "nobody"])
def test_run_as_may_not_name_root_or_nobody(tmp_path: Path, name: str) -> None:
    with pytest.raises(StackError, match=f"RUN_AS holds '{name}'"):
        accounts.account_for(tmp_path, name)


@as_root
def test_an_account_that_cannot_be_made_is_one_sentence_with_the_ways_out(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"set RUN_AS to an existing unprivileged account, or start"):
        accounts.account_for(tmp_path, "not a name")


@as_root
def test_an_owner_without_a_name_is_refused_only_where_postgres_asks_for_it(tmp_path: Path) -> None:
    os.chown(tmp_path, 424242, 0)
    assert accounts.account_for(tmp_path) == Account(424242, 424242)
    with pytest.raises(StackError, match="User id 424242 has no name"):
        accounts.name_of(424242)


@as_root
@on_linux
def test_a_member_has_no_right_of_roots_left_and_can_get_none_back(account: Account) -> None:
    _, status = result_as_member(
        "/bin/grep", "-E", "^(Uid|Gid|Groups|Cap|NoNew|Umask)", "/proc/self/status", account=account
    )
    found = {name: value.split() for name, value in (line.split(":", 1) for line in status.splitlines())}
    assert found["Uid"] == [str(account.uid)] * 4
    assert found["Gid"] == [str(account.gid)] * 4
    assert found["Groups"] == []
    assert {int(found[f"Cap{kind}"][0], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    assert (found["NoNewPrivs"], found["Umask"]) == (["1"], ["0077"])


@as_root
@on_linux
def test_a_member_keeps_exactly_the_right_it_was_given(account: Account) -> None:
    kept = capabilities.DAC_READ_SEARCH
    _, status = result_as_member("/bin/grep", "^Cap", "/proc/self/status", account=account, kept=kept)
    assert {int(line.split()[1], 16) for line in status.splitlines()} == {kept}


@as_root
def test_a_member_reads_no_file_of_roots_and_writes_nowhere_else(account: Account, reachable: Path) -> None:
    secret = reachable / "secret"
    secret.write_text("of root")
    secret.chmod(0o600)
    code, words = result_as_member("/bin/cat", str(secret), account=account)
    assert code != 0
    assert "of root" not in words
    for place in (reachable, Path("/etc"), Path("/usr")):
        assert result_as_member("/bin/touch", str(place / "vectorpress-was-here"), account=account)[0] != 0


@as_root
@on_linux
def test_reading_through_a_closed_folder_needs_the_right_to_read_and_nothing_more(
    account: Account, reachable: Path
) -> None:
    assert capabilities.to_reach(account, reachable) == 0
    closed = reachable / "closed"
    (closed / "within").mkdir(parents=True)
    (closed / "within" / "file").write_text("code")
    closed.chmod(0o700)
    file = closed / "within" / "file"
    assert capabilities.closed_folder(account, file) == closed
    kept = capabilities.to_reach(account, file)
    if capabilities.held() & capabilities.DAC_READ_SEARCH:
        assert kept == capabilities.DAC_READ_SEARCH
        assert result_as_member("/bin/cat", str(file), account=account, kept=kept) == (0, "code")
        assert result_as_member("/bin/touch", str(closed / "new"), account=account, kept=kept)[0] != 0


@as_root
def test_a_home_closed_to_others_is_open_to_its_owner(reachable: Path) -> None:
    someone = pwd.getpwnam("daemon")
    home = reachable / "home"
    (home / "checkout").mkdir(parents=True)
    os.chown(home, someone.pw_uid, someone.pw_gid)
    home.chmod(0o700)
    assert capabilities.to_reach(Account(someone.pw_uid, someone.pw_gid), home / "checkout") == 0


@as_root
def test_the_accounts_processes_know_nothing_of_roots_home(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    own = accounts.environment(account, tmp_path / "data")
    assert own["HOME"] in (str(tmp_path / "data"), pwd.getpwuid(account.uid).pw_dir)
    assert own["TMPDIR"] == own["XDG_RUNTIME_DIR"] == ""
    assert own["USER"] == own["LOGNAME"] == pwd.getpwuid(account.uid).pw_name


def test_a_low_port_needs_roots_right_to_listen_where_we_have_it() -> None:
    assert capabilities.to_listen(80) == capabilities.held() & capabilities.NET_BIND_SERVICE
    assert capabilities.to_listen(8000) == 0
