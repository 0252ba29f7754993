"""Serves the local model over HTTP on loopback: POST /v1/embeddings, GET /v1/models, GET /health (how many requests are
under way).

There is no access control, so there is no way to listen on another address.
"""

import contextlib
import ctypes
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import wait
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from embeddings.embedder import model, protocol
from embeddings.embedder.protocol import Refusal

LOOPBACK = "127.0.0.1"
MAX_BODY = 32 * 1024 * 1024
_IDLE_SECONDS = 300
_STOP_SECONDS = 0.8
_LOOK_SECONDS = 0.1

_log = logging.getLogger(__name__)


def serve(port: int, threads: int | None, announce: Callable[[str], object]) -> NoReturn:
    """Loads the model and answers until SIGTERM or SIGINT, then ends the process in a second. Port 0: a free one."""
    _share_one_heap()
    with EmbedderServer(port, model.Model(threads)) as server:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
        announce(f"listening on http://{LOOPBACK}:{server.server_port}")
        server.serve_forever(poll_interval=0.1)
    _leave()


def _leave() -> NoReturn:
    """Ends the process at once: an interpreter that ends under a run of the model aborts in its native code."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _share_one_heap() -> None:
    """glibc gives each thread a heap that stays at its largest size; sharing one saves over 100 MB, measured."""
    m_arena_max = -8
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library: nothing to do
        ctypes.CDLL(None).mallopt(m_arena_max, 1)


class EmbedderServer(ThreadingHTTPServer):
    """One thread a connection; the model itself bounds how many texts are worked on at a time."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, loaded: model.Model) -> None:
        self.model = loaded
        self.busy = Busy()
        super().__init__((LOOPBACK, port), _Handler)

    def stop(self) -> None:
        """Ends `serve_forever` without waiting for it; requests whose texts have not all started get 503."""
        self.model.close()
        threading.Thread(target=self.shutdown, daemon=True).start()

    def server_close(self) -> None:
        """Closes the listening socket, then lets the last answers out."""
        super().server_close()
        self.busy.wait_for_none(_STOP_SECONDS)


class Busy:
    """Counts the requests under way, so that a stop can wait for their answers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._number = 0

    @property
    def number(self) -> int:
        """How many requests are under way."""
        return self._number

    def __enter__(self) -> None:
        with self._changed:
            self._number += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._number -= 1
            self._changed.notify_all()

    def wait_for_none(self, seconds: float) -> None:
        """Returns when nothing is under way, or after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._number == 0, seconds)


class _Handler(BaseHTTPRequestHandler):
    server: EmbedderServer
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave together

    def do_GET(self) -> None:
        health = b'{"status":"ok","requests":%d}' % self.server.busy.number
        answers = {"/v1/models": protocol.models(), "/health": health}
        self._answer(lambda: answers[self._path(set(answers))])

    def do_POST(self) -> None:
        self._answer(self._embed)

    def _answer(self, find: Callable[[], bytes]) -> None:
        with self.server.busy:
            try:
                self._send(HTTPStatus.OK, find())
            except Refusal as refusal:
                self._send(refusal.status, refusal.body())
            except (ConnectionError, TimeoutError):
                self.close_connection = True
            except Exception:
                _log.exception("A request failed")
                self._send(HTTPStatus.INTERNAL_SERVER_ERROR, _FAILED.body())

    def _embed(self) -> bytes:
        body = self._body()
        self._path({"/v1/embeddings"})
        request = protocol.read(body)
        return protocol.answer(request, self._vectors(request.texts))

    def _path(self, known: set[str]) -> str:
        path = self.path.partition("?")[0]
        if path not in known:
            raise Refusal(HTTPStatus.NOT_FOUND, "not_found", f"There is no {self.command} {path} here.")
        return path

    def _body(self) -> bytes:
        announced = self.headers.get("Content-Length", "")
        if not (announced.isascii() and announced.isdigit() and len(announced) < 19):
            self.close_connection = True
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "length_required", "The request has no Content-Length.")
        if int(announced) > MAX_BODY:
            self.close_connection = True
            message = f"The body has {announced} bytes; at most {MAX_BODY} are read."
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", message)
        body = self.rfile.read(int(announced))
        if len(body) < int(announced):
            raise ConnectionAbortedError
        return body

    def _vectors(self, texts: list[list[int]]) -> NDArray[np.float32]:
        parts = self.server.model.start(texts)
        done, pending = wait([part.vectors for part in parts], timeout=_LOOK_SECONDS)
        while pending and not any(future.cancelled() for future in done):
            if self._client_left():
                for future in pending:
                    future.cancel()
                raise ConnectionAbortedError
            done, pending = wait(pending, timeout=_LOOK_SECONDS)
        if any(part.vectors.cancelled() for part in parts):
            raise _STOPPING
        vectors = np.empty((len(texts), model.DIMENSIONS), np.float32)
        for part in parts:
            vectors[part.positions] = part.vectors.result()
        return vectors

    def _client_left(self) -> bool:
        """Whether nobody waits any more: a client that gave up and tries again must not double the work."""
        self.connection.settimeout(0)
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        finally:
            self.connection.settimeout(self.timeout)

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        try:
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: callers log their requests, and texts belong in no log."""


_STOPPING = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "stopping", "The embedder is stopping: try again.")
_FAILED = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "The embedder failed; see its log.")
