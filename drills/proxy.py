"""A TCP proxy between processes and a server that imitates a bad network."""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass
from typing import Self

_CHUNK = 65_536


@dataclass(frozen=True)
class Rules:
    """What happens to what passes. Replies are what the server says; requests always arrive.

    `delay_seconds`: each piece of a reply comes so much later. `refuse`: new connections end at once. `swallow`:
    replies never come. `cut_after`: a connection ends when it has carried so many more bytes of replies.
    """

    delay_seconds: float = 0.0
    refuse: bool = False
    swallow: bool = False
    cut_after: int | None = None


PASS = Rules()


class Proxy:
    """Listens on a free port of loopback for a server behind a Unix socket's path or a (host, port).

    `rules` may be replaced at any time, also for connections that are open; `swallowed` counts bytes.
    """

    def __init__(self, upstream: str | tuple[str, int]) -> None:
        self.upstream = upstream
        self.rules = PASS
        self.swallowed = 0
        self._pairs: set[_Pair] = set()
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, name=f"proxy {self.port}", daemon=True).start()

    @property
    def open_connections(self) -> int:
        """The number of open connections."""
        with self._lock:
            return len(self._pairs)

    def cut(self) -> int:
        """Ends all open connections at once; returns how many."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            pair.end()
        return len(pairs)

    def close(self) -> None:
        """Ends all connections and listens no more."""
        with contextlib.suppress(OSError):  # macOS refuses; Linux wakes up who waits to accept
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:  # closed
                return
            if self.rules.refuse:
                client.close()
                continue
            threading.Thread(target=self._connect, args=[client], daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        try:
            server = _connected(self.upstream)
        except OSError:  # as if nobody listened
            client.close()
            return
        pair = _Pair(self, client, server)
        with self._lock:
            self._pairs.add(pair)
        pair.carry()
        with self._lock:
            self._pairs.discard(pair)


class _Pair:
    """One connection: a socket to each side and a thread for each direction."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        for side in (client, server):
            if side.family == socket.AF_INET:
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def carry(self) -> None:
        """Passes bytes in both directions until either side ends."""
        requests = threading.Thread(target=self._carry_requests, daemon=True)
        requests.start()
        self._carry_replies()
        requests.join()
        self._client.close()
        self._server.close()

    def end(self) -> None:
        """Ends both sides; whoever waits on them wakes up."""
        for side in (self._client, self._server):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def _carry_requests(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._client.recv(_CHUNK):
                self._server.sendall(data)
        self.end()

    def _carry_replies(self) -> None:
        rules, carried = PASS, 0
        with contextlib.suppress(OSError):
            while data := self._server.recv(_CHUNK):
                if rules is not self._proxy.rules:
                    rules, carried = self._proxy.rules, 0
                if rules.swallow:
                    self._proxy.swallowed += len(data)
                    continue
                if rules.delay_seconds:
                    time.sleep(rules.delay_seconds)
                if rules.cut_after is not None:
                    data = data[: rules.cut_after - carried]
                carried += len(data)
                self._client.sendall(data)
                if carried == rules.cut_after:
                    break
        self.end()


def _connected(upstream: str | tuple[str, int]) -> socket.socket:
    if not isinstance(upstream, str):
        return socket.create_connection(upstream)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(upstream)
    except OSError:
        connection.close()
        raise
    return connection
