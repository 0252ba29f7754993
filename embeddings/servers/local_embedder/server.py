"""The local embedder's HTTP server, on a Unix socket or on a port of loopback (listening.py).

Connections, threads and bytes are bounded. Its replies: handler.py.
"""

import contextlib
import threading
from socketserver import BaseRequestHandler, TCPServer, ThreadingMixIn
from typing import Any

from embeddings.servers.local_embedder import model
from embeddings.servers.local_embedder.body_memory_limit import Room
from embeddings.servers.local_embedder.connections import Connections
from embeddings.servers.local_embedder.listening import Listening

MAX_BODY = 32 * 1024 * 1024
MAX_CONNECTIONS = 128
# A search or a batch of ours is far below; all bodies together: 128 × 256 KB and 64 MB.
_SMALL_BODY = 256 * 1024
_LARGE_BODIES = 2 * MAX_BODY
_STOP_SECONDS = 0.8
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


class EmbedderServer(ThreadingMixIn, TCPServer):
    """One thread per connection, and few connections; the model bounds the texts processed at once."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, listening: Listening, loaded: model.Model, handler: type[BaseRequestHandler]) -> None:
        self.listening = listening
        self.model = loaded
        self.busy = Busy()
        self.connections = Connections(MAX_CONNECTIONS)
        self.large_bodies = Room(_LARGE_BODIES, _SMALL_BODY)
        super().__init__(listening.socket.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening.socket

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a thread for a new connection, or refuses it if all are working."""
        if self.connections.admit(request):
            super().process_request(request, client_address)
            return
        with contextlib.suppress(OSError):
            request.setblocking(False)
            request.send(_BUSY)
        self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """Closes a connection, then frees its place."""
        super().shutdown_request(request)
        self.connections.leave(request)

    def stop(self) -> None:
        """Ends `serve_forever` without waiting for it; requests whose texts have not all started get 503."""
        self.model.close()
        threading.Thread(target=self.shutdown, daemon=True).start()

    def server_close(self) -> None:
        """Closes the listening socket, then sends the last replies."""
        self.listening.remove()
        super().server_close()
        self.busy.wait_for_none(_STOP_SECONDS)


class Busy:
    """Counts the requests in progress, so that a stop can wait for their replies."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._number = 0

    @property
    def number(self) -> int:
        """The number of requests in progress."""
        return self._number

    def __enter__(self) -> None:
        with self._changed:
            self._number += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._number -= 1
            self._changed.notify_all()

    def wait_for_none(self, seconds: float) -> None:
        """Returns when no request is in progress, or after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._number == 0, seconds)
