"""An embedded Valkey: the queue's doorbell, reached through a socket only, gone when its starter is gone.

Nothing in its folder is worth a start that fails: what it cannot start with is set aside, and it starts empty.
"""

import os
import signal
import socket
import time
from pathlib import Path

from config.stack import accounts, damaged_files, disk_space, paths, valkey_files
from config.stack.binaries import valkey_server
from config.stack.capabilities import to_reach
from config.stack.orphans import end_leftover
from config.stack.ownership import claim_folder
from config.stack.postgres import server_environment
from config.stack.processes import Process, StackError
from config.stack.service import Service
from config.stack.work_as_owner import acting

SECONDS_OF_SILENCE = 10.0
SECONDS_TO_LOAD = 120.0
SECONDS_TO_STOP = 2.0
# Memory filled in a trial without data: a server that is too small for the data fails that as well. Data may be packed
# on disk, so it takes some times the room in memory.
MEMORY_TO_DISK = 4
MOST_MEMORY = 256 * 1024 * 1024
_PIECE = 16 * 1024 * 1024


class ValkeyServer(Service):
    """One server that keeps its data in `data_dir` and listens in `socket_dir`."""

    noise = ("Memory overcommit must be enabled", "scheduling shutdown", "ready to exit")

    def __init__(
        self,
        data_dir: Path,
        socket_dir: Path,
        *,
        append_only: bool = True,
        run_as: str = accounts.DEFAULT,
    ) -> None:
        """`append_only` writes to disk within a second; without it nothing survives a stop.

        Started by root, it runs as the owner of the folder above `data_dir`, or else as `run_as`.
        """
        # of a link in the folder's own place nothing is followed
        self.data_dir = data_dir.parent.resolve() / data_dir.name
        self.socket_dir = socket_dir
        self.program = valkey_server()
        self.account = accounts.account_for(self.data_dir.parent, run_as)
        self._append_only = append_only
        super().__init__(self._server_on(self.data_dir))

    @property
    def url(self) -> str:
        """The address of its first database."""
        return paths.valkey_url(self.socket_dir)

    def prepare(self) -> None:
        """Makes its folders and ends a server that a killed run left."""
        try:
            self._take(self.data_dir, self.process)
        except (OSError, StackError):
            if not self.mend():
                raise
            self._take(self.data_dir, self.process)

    def mend(self) -> bool:
        """Sets the folder aside if it is at fault for a failed start; returns whether the next may succeed.

        It is at fault where a server does not start on it again, but does on an empty one in the same place, with as
        much in memory. What else keeps a server from starting – a full disk, no memory, its socket – keeps both.
        """
        outcome = self._try(self.data_dir)
        if outcome is not False:
            return outcome is True
        empty = self.data_dir.with_name(f"{self.data_dir.name}.new")
        wanted = min(MEMORY_TO_DISK * valkey_files.size(self.data_dir, self.account), MOST_MEMORY)
        try:
            damaged_files.remove(empty, self.account)
            if not self._try(empty, wanted):
                return False
            kept = damaged_files.set_aside(self.data_dir, self.account)
        except (OSError, StackError):
            return False
        finally:
            self._remove(empty)
        self.process.on_line(
            self.process,
            f"cannot start with what is in {self.data_dir}, so that was set aside as {kept.name} beside it and Valkey "
            f"starts empty: it keeps wake-ups and counters only, and no article is lost (the newest "
            f"{damaged_files.KEPT} set aside are kept; remove them when you like)",
        )
        return True

    def advice(self) -> str:
        """A full disk keeps it from starting on any folder."""
        return f"\n{disk_space.sentence(self.data_dir)}" if disk_space.is_short(self.data_dir) else ""

    def ready(self) -> bool:
        """Whether it replies to a PING; it does not while it reads its data."""
        return self._reply().startswith(b"+PONG")

    def _server_on(self, folder: Path) -> Process:
        settings = {
            "port": "0",
            "unixsocket": str(paths.valkey_socket(self.socket_dir)),
            "unixsocketperm": "700",
            "dir": str(folder),
            "pidfile": str(folder / "valkey.pid"),
            "appendonly": "yes" if self._append_only else "no",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        return Process("valkey", [self.program, *words], env=server_environment(), account=self.account)

    def _take(self, folder: Path, process: Process) -> None:
        """Makes this the private folder of a server to be started; raises StackError where it cannot be."""
        claim_folder(self.socket_dir, self.account)
        claim_folder(folder, self.account)
        # of the folder above: a file here may be replaced, and what was found out is remembered
        if os.geteuid() == 0:
            process.capabilities = to_reach(self.account, self.program, folder.parent, self.socket_dir)
        else:
            process.capabilities = self.process.capabilities  # a supervisor that was root found them out
        with acting(self.account, folder.parent):
            mark = str(paths.valkey_socket(self.socket_dir))
            end_leftover(folder / "valkey.pid", self.program.name, mark, signal.SIGTERM)
        valkey_files.demand_plain(folder, self.account)

    def _try(self, folder: Path, wanted_bytes: int = 0) -> bool | None:
        """Whether a server starts on this folder and takes so much into memory; None if it was killed from outside."""
        process = self._server_on(folder)
        try:
            self._take(folder, process)
            process.start()
            started = self._answers(process) and self._holds(wanted_bytes)
            return None if not started and process.returncode == -signal.SIGKILL else started
        except (OSError, StackError):
            return False
        finally:
            process.stop(SECONDS_TO_STOP)

    def _answers(self, process: Process) -> bool:
        """Waits until it answers or has ended; as long as it says that it is loading, or silence is short."""
        began = heard = time.monotonic()
        while not process.exited.is_set():
            reply, now = self._reply(), time.monotonic()
            if reply.startswith(b"+PONG"):
                return True
            heard = now if reply else heard
            if now - heard > SECONDS_OF_SILENCE or now - began > SECONDS_TO_LOAD:
                return False
            process.exited.wait(0.02)
        return False

    def _holds(self, wanted_bytes: int) -> bool:
        """Whether a server without data takes so much into memory."""
        from redis import Redis
        from redis.exceptions import RedisError

        try:
            with Redis.from_url(self.url, socket_timeout=SECONDS_OF_SILENCE) as client:
                for number, begin in enumerate(range(0, wanted_bytes, _PIECE)):
                    client.setrange(f"room:{number}", min(_PIECE, wanted_bytes - begin), b"x")
        except RedisError:
            return False
        return True

    def _remove(self, folder: Path) -> None:
        try:
            damaged_files.remove(folder, self.account)
        except (OSError, StackError):
            return

    def _reply(self) -> bytes:
        """Its reply to a PING; empty without one."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            try:
                connection.connect(str(paths.valkey_socket(self.socket_dir)))
                connection.sendall(b"PING\r\n")
                return connection.recv(64)
            except OSError:
                return b""
