"""An embedded Postgres: made on first use, reached through a socket only, gone when its starter is gone."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from config.stack import accounts, disk_space, machine_memory, paths, roles
from config.stack.binaries import postgres_bin_dir
from config.stack.capabilities import to_reach
from config.stack.orphans import end_leftover, kept_text
from config.stack.ownership import claim_folder, rights_in
from config.stack.processes import Process, StackError, launcher
from config.stack.service import Service
from config.stack.work_as_owner import acting

SMALL_MACHINE = {
    "maintenance_work_mem": "256MB",  # what an HNSW build of some hundred thousand vectors fits in
    "max_connections": "100",
    "max_wal_size": "4GB",
    "autovacuum_naptime": "10s",  # a backfill leaves ten thousand old versions of its tasks each second
    "random_page_cost": "1.1",
    "jit": "off",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "",
}
FAST_AND_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
PARALLEL_BUILD_MEMORY = 512 * 1024 * 1024
PM_STATUS_LINE = 8  # src/include/utils/pidfile.h
PASSING = ("08", "53", "57P")  # SQLSTATE: connection, too few resources, starting or stopping
SECONDS_TO_STOP = (
    30.0  # it writes what is in its memory to the disk first; killed, it would do so at its next start
)
FAST_SHUTDOWN = signal.SIGINT  # ends sessions; SIGTERM would wait for them


class PostgresServer(Service):
    """One cluster in `data_dir`, listening in `socket_dir`."""

    noise = (
        "starting PostgreSQL",
        "listening on Unix socket",
        "database system was shut down",
        "received fast shutdown",
        "aborting any active",
        "logical replication launcher",
        "shutting down",
        "terminating connection due to administrator command",
    )

    def __init__(
        self,
        data_dir: Path,
        socket_dir: Path,
        options: Mapping[str, str] | None = None,
        *,
        database: str = paths.DATABASE,
        run_as: str = accounts.DEFAULT,
    ) -> None:
        """`options` are server settings on top of `SMALL_MACHINE`; `database` is made when it is missing.

        Started by root, it runs as the owner of the folder above `data_dir`, or else as `run_as`.
        """
        self.data_dir = data_dir.resolve()
        self.socket_dir = socket_dir
        self.database = database
        self.bin_dir = postgres_bin_dir()
        self.account = accounts.account_for(self.data_dir.parent, run_as)
        self._starter = os.geteuid()
        self._initialise_durably = not (options and options.get("fsync") == "off")
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": quoted(socket_dir),
            "unix_socket_permissions": "0700",
            "shared_buffers": machine_memory.shared_buffers(),
            **SMALL_MACHINE,
            **shared_memory(),
            **(options or {}),
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        super().__init__(
            Process(
                "postgres",
                [self.bin_dir / "postgres", "-D", self.data_dir, *words],
                stop_signal=FAST_SHUTDOWN,
                env=server_environment(),
                account=self.account,
            ),
            grace=SECONDS_TO_STOP,
        )

    @property
    def url(self) -> str:
        """The address of its database, for the role that owns it."""
        return paths.postgres_url(self.socket_dir, self.database)

    @property
    def maintenance_url(self) -> str:
        """The address of its database for the superuser, which no part of the product uses while it serves."""
        return paths.postgres_url(self.socket_dir, self.database, paths.SUPERUSER)

    def prepare(self) -> None:
        """Makes folders and cluster if missing and clears what a killed server left."""
        claim_folder(self.socket_dir, self.account)
        claim_folder(self.data_dir, self.account)
        program = self.bin_dir / "postgres"
        if os.geteuid() == 0:  # a supervisor that was root found them out
            self.process.capabilities = to_reach(self.account, program, self.data_dir, self.socket_dir)
        with acting(self.account, self.data_dir):
            is_made = (self.data_dir / "PG_VERSION").exists()
        if not is_made:
            self._make_cluster()
        lock = self.data_dir / "postmaster.pid"
        with acting(self.account, self.data_dir):  # root's own rights could be led elsewhere by a link
            end_leftover(lock, program.name, str(self.data_dir), FAST_SHUTDOWN)
            # Postgres takes any living process of the same user with the id in these files for itself.
            lock.unlink(missing_ok=True)
            roles.write_access(self.data_dir, self.account, self._starter)
        with acting(self.account, self.socket_dir):
            for stale in self.socket_dir.glob(".s.PGSQL.*"):
                stale.unlink(missing_ok=True)

    def ready(self) -> bool:
        """Whether it is ready; creates role and database if they are missing."""
        if not self._says_ready():  # a connection before that moment would fail and leave a line in the log
            return False
        import psycopg

        try:
            roles.settle(self.socket_dir, self.database)
        except psycopg.Error as error:
            if isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08").startswith(PASSING):
                return False
            raise StackError(f"The embedded Postgres cannot be set up: {str(error).strip()}") from None
        return True

    def advice(self) -> str:
        """Its data is the truth: it is never changed, even if it is damaged."""
        if disk_space.is_short(self.data_dir):
            return f"\n{disk_space.sentence(self.data_dir)}"
        from lib.manage_command import manage

        return (
            f"\nIts data in {self.data_dir} was not changed. If it is damaged, restore a backup: set DATA_DIR "
            f"to a new folder, run {manage('runstack --no-import')}, then {manage('restore FILE')}"
        )

    def _says_ready(self) -> bool:
        """Whether the server's lock file holds the state "ready" (its eighth line, as pg_ctl reads it)."""
        lines = kept_text(self.data_dir / "postmaster.pid").splitlines()
        return len(lines) >= PM_STATUS_LINE and lines[PM_STATUS_LINE - 1].strip() == "ready"

    def _make_cluster(self) -> None:
        """Makes the cluster beside its place and moves it there: a half-made one is never taken for whole."""
        with acting(self.account, self.data_dir):
            holds_files = any(self.data_dir.iterdir())
        if holds_files:
            raise StackError(
                f"{self.data_dir} holds files but no Postgres data: move them away or set DATA_DIR."
            )
        new = self.data_dir.with_name(f"{self.data_dir.name}.new")
        self._remove(new)
        claim_folder(new, self.account)
        self._initdb(new)
        with rights_in(new.parent, self.account):
            new.rename(self.data_dir)

    def _remove(self, folder: Path) -> None:
        with rights_in(folder.parent, self.account):
            shutil.rmtree(folder, ignore_errors=True)

    def _initdb(self, folder: Path) -> None:
        command = [
            *launcher(signal.SIGKILL, self.account, self.process.capabilities),
            *[
                str(self.bin_dir / "initdb"),
                "-D",
                str(folder),
                f"--username={paths.SUPERUSER}",
                "--auth=reject",  # until roles.write_access sets who may connect
            ],
            # Sorting and case rules built into Postgres: the same on every machine, and no ICU is needed.
            *["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
            *["--no-instructions", *([] if self._initialise_durably else ["--no-sync"])],
        ]
        made = subprocess.run(command, env=server_environment(), capture_output=True, text=True, check=False)
        if made.returncode != 0:
            # looked at before what it has made is gone
            reason = (
                f":\n{made.stderr.strip()}"
                if not disk_space.is_short(folder)
                else f"; {disk_space.sentence(folder.parent)}"
            )
            self._remove(folder)
            raise StackError(f"Postgres data could not be made in {folder}{reason}")


def quoted(folder: Path) -> str:
    """A folder as an element of one of Postgres' lists, in which blanks and commas divide."""
    escaped = str(folder).replace('"', '""')
    return f'"{escaped}"'


def shared_memory() -> dict[str, str]:
    """Keeps parallel index builds out of a /dev/shm that is too small for them, as many containers have."""
    try:
        room = os.statvfs("/dev/shm")
    except OSError:
        return {}
    enough = room.f_bavail * room.f_frsize >= PARALLEL_BUILD_MEMORY
    return {} if enough else {"dynamic_shared_memory_type": "mmap"}


def server_environment() -> dict[str, str]:
    """Our environment for a server: without secrets."""
    wanted = ["PATH", "TMPDIR", "LD_LIBRARY_PATH"]
    return {"LC_ALL": "C", **{name: os.environ[name] for name in wanted if name in os.environ}}
