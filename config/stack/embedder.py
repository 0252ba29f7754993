"""The local embedder as a member of the stack, reached through a socket in the installation's private folder."""

import http.client
import socket
from pathlib import Path

from config.stack import paths
from config.stack.ownership import claim_folder
from config.stack.processes import Process
from config.stack.service import Service

_SECONDS_TO_ANSWER = 2


class EmbedderService(Service):
    """The embedder of one data folder; `process` listens on its socket."""

    def __init__(self, process: Process, data_dir: Path) -> None:
        super().__init__(process)
        self.data_dir = data_dir
        self.socket = paths.embedder_socket(paths.socket_dir(data_dir))

    def prepare(self) -> None:
        """Makes the folder of the sockets, private to the account that owns the other servers' sockets."""
        claim_folder(self.socket.parent, self.process.account)

    def ready(self) -> bool:
        """Whether it sends any HTTP reply."""
        return answers(UnixConnection(self.socket))


class UnixConnection(http.client.HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_SECONDS_TO_ANSWER)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def answers(connection: http.client.HTTPConnection) -> bool:
    """Whether GET /health gets any HTTP reply; closes the connection."""
    try:
        connection.request("GET", "/health")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
