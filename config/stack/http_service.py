"""A member of the stack that serves HTTP on an address of this machine."""

import http.client

from config.stack.embedder import answers
from config.stack.processes import Process
from config.stack.service import Service


class HttpService(Service):
    """A member that serves HTTP on loopback or, by HOST, on other addresses."""

    def __init__(self, process: Process, host: str, port: int, grace: float = 1.0) -> None:
        super().__init__(process, grace)
        self.address = (reachable(host), port)

    def ready(self) -> bool:
        """Whether it sends any HTTP reply."""
        return answers(http.client.HTTPConnection(*self.address, timeout=2))


def reachable(host: str) -> str:
    """The address to reach our server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
