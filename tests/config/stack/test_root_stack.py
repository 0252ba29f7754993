"""`runstack` started by root: nothing of it stays root, and root's commands still work on its data."""

import os
import pwd
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from config.stack import capabilities, paths
from config.stack.accounts import DEFAULT, acting_as
from config.stack.processes import Account
from tests.config.live_processes import free_port, processes_naming
from tests.config.stack.stacks import Stack
from tests.paths import ROOT
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's stack has no rights to give up"),
]


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vectorpress-test-") as home:
        Path(home).chmod(0o755)
        yield Path(home) / "var"


@pytest.fixture(scope="module")
def stack(data_dir: Path) -> Iterator[Stack]:
    running = Stack(data_dir, free_port())
    try:
        running.await_line("stop    Ctrl-C")
        wait_until(lambda: running.pids("--kept-by"), 90, "a worker process")
        yield running
    finally:
        running.end()


@pytest.fixture(scope="module")
def account(stack: Stack) -> Account:
    made = pwd.getpwnam(DEFAULT)
    return Account(made.pw_uid, made.pw_gid)


def status(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.split() for name, value in (line.split(":", 1) for line in lines)}


def test_no_process_of_it_is_root_and_none_keeps_more_than_the_right_to_read(
    stack: Stack, account: Account
) -> None:
    allowed = 0
    if "warning: only root may enter" in stack.output:
        allowed = capabilities.DAC_READ_SEARCH | capabilities.DAC_OVERRIDE
    found = stack.processes()
    for part in (
        "runstack",
        "kill_switch.py",
        "bin/postgres",
        "valkey-server",
        "local_embedder",
        "granian",
        "dramatiq",
    ):
        assert any(part in command for command in found.values()), part
    for pid, command in found.items():
        rights = status(pid)
        assert rights["Uid"] == [str(account.uid)] * 4, command
        assert rights["Gid"] == [str(account.gid)] * 4, command
        assert (rights["Groups"], rights["NoNewPrivs"], rights["Umask"]) == ([], ["1"], ["0077"]), command
        kept = [int(rights[f"Cap{kind}"][0], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
        assert not [each for each in kept if each & ~allowed], command
    servers = [
        pid for pid, command in found.items() if "bin/postgres" in command or "valkey-server" in command
    ]
    assert {int(status(pid)["CapEff"][0], 16) for pid in servers} == {0}


def test_its_environment_holds_nothing_of_roots_home(stack: Stack) -> None:
    for pid, command in stack.processes().items():
        if "runstack" not in command and "kill_switch.py" not in command:
            assert b"HOME=/root" not in Path(f"/proc/{pid}/environ").read_bytes(), command


def test_everything_in_the_data_folder_is_the_accounts(
    stack: Stack, data_dir: Path, account: Account
) -> None:
    found = [data_dir, *data_dir.rglob("*")]
    assert [path for path in found if path.lstat().st_uid != account.uid] == []
    sockets = [path for path in (data_dir / "run").iterdir() if path.is_socket()]
    assert len(sockets) >= 2
    assert {path.lstat().st_mode & 0o077 for path in (data_dir / "run", *sockets)} == {0}


def test_neither_the_account_nor_another_user_is_postgres_superuser(
    stack: Stack, data_dir: Path, account: Account
) -> None:
    super_url = paths.postgres_url(paths.socket_dir(data_dir), user=paths.SUPERUSER)
    with acting_as(account):
        with psycopg.connect(paths.database_url(data_dir)) as session:
            query = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
            assert session.execute(query).fetchone() == (False,)
        with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
            psycopg.connect(super_url)
    someone = pwd.getpwnam("daemon")
    with acting_as(Account(someone.pw_uid, someone.pw_gid)):
        for url in (super_url, paths.database_url(data_dir)):
            with pytest.raises(psycopg.OperationalError, match="Permission denied"):
                psycopg.connect(url)


def test_a_killed_postgres_is_started_again_without_root(
    stack: Stack, data_dir: Path, account: Account
) -> None:
    seen = len(stack.lines)
    os.kill(int((data_dir / "postgres" / "postmaster.pid").read_text().split("\n")[0]), signal.SIGKILL)
    stack.await_line("postgres was ended by SIGKILL; restarting in", after=seen)
    wait_until(lambda: answers(data_dir), 30, "Postgres")
    assert {status(pid)["Uid"][0] for pid in stack.processes()} == {str(account.uid)}


def test_roots_stack_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Linux forgets the wish to at each change of user, and the supervisor becomes another."""
    data = {"DATA_DIR": str(tmp_path / "var"), "PORT": str(free_port()), "EMBEDDING_PROVIDER": "ollama"}
    program = (
        "import sys, signal\nfrom config.stack.processes import Process\n"
        f"process = Process('stack', [sys.executable, 'manage.py', 'runstack', '--no-import'], env={data!r})\n"
        "process.on_line = lambda _, line: print(line, flush=True)\n"
        "process.start()\nsignal.pause()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as starter:
        assert starter.stdout
        assert any("Ctrl-C" in line for line in starter.stdout)
        starter.kill()
    wait_until(lambda: not processes_naming(tmp_path / "var"), 20, "the end of the stack")


def answers(data_dir: Path) -> bool:
    try:
        psycopg.connect(paths.database_url(data_dir)).close()
    except psycopg.OperationalError:
        return False
    return True
