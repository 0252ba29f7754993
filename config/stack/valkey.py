"""An embedded Valkey: the queue's doorbell, reached through a socket only, gone when its starter is gone."""

import signal
import socket
from pathlib import Path

from config.stack import accounts, paths
from config.stack.binaries import valkey_server
from config.stack.capabilities import to_reach
from config.stack.leftovers import end_leftover
from config.stack.ownership import claim_folder
from config.stack.postgres import server_environment
from config.stack.processes import Process
from config.stack.service import Service
from config.stack.working import acting


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
        """`append_only` keeps writes on disk, at most a second late; without it nothing survives a stop.

        Started by root, it runs as the owner of the folder above `data_dir`, or else as `run_as`.
        """
        self.data_dir = data_dir.resolve()
        self.socket_dir = socket_dir
        self.program = valkey_server()
        self.account = accounts.account_for(self.data_dir.parent, run_as)
        self.pid_file = self.data_dir / "valkey.pid"
        settings = {
            "port": "0",
            "unixsocket": str(paths.valkey_socket(socket_dir)),
            "unixsocketperm": "700",
            "dir": str(self.data_dir),
            "pidfile": str(self.pid_file),
            "appendonly": "yes" if append_only else "no",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        super().__init__(
            Process("valkey", [self.program, *words], env=server_environment(), account=self.account),
        )

    @property
    def url(self) -> str:
        """The address of its first database."""
        return paths.valkey_url(self.socket_dir)

    def prepare(self) -> None:
        """Makes its folders and ends a server that a killed run left."""
        claim_folder(self.socket_dir, self.account)
        claim_folder(self.data_dir, self.account)
        self.process.capabilities = to_reach(self.account, self.program, self.data_dir, self.socket_dir)
        with acting(self.account, self.data_dir):
            mark = str(paths.valkey_socket(self.socket_dir))
            end_leftover(self.pid_file, self.program.name, mark, signal.SIGTERM)

    def ready(self) -> bool:
        """Whether it answers a PING; it does not while it still reads its data."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            try:
                connection.connect(str(paths.valkey_socket(self.socket_dir)))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
            except OSError:
                return False
