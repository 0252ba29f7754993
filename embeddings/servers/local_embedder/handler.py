"""One connection of the local embedder: POST /v1/embeddings, GET /v1/models, GET /v1/proof, and GET /health with the
number of requests in progress.

Each request is checked by its headers before its body is read; heads, bodies and replies have deadlines and bounds.
"""

import contextlib
import io
import logging
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

import numpy as np
from numpy.typing import NDArray

from embeddings.servers.local_embedder import admission, model, protocol, server_proof
from embeddings.servers.local_embedder.connections import Stage
from embeddings.servers.local_embedder.deadline_stream import Channel
from embeddings.servers.local_embedder.protocol import Refusal
from embeddings.servers.local_embedder.server import MAX_BODY, EmbedderServer

_MAX_HEAD = 32 * 1024
_HEAD_SECONDS = 5.0
# longer than our client keeps a connection (30 s), so that it never sends on one that is being closed
_IDLE_SECONDS = 60.0
_BODY_SECONDS = _REPLY_SECONDS = 5.0
_BYTES_A_SECOND = 1024 * 1024
_LOOK_SECONDS = 0.1

_log = logging.getLogger(__name__)


class Handler(BaseHTTPRequestHandler):
    server: EmbedderServer
    connection: socket.socket
    rfile: io.BufferedReader
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        self.connection = self.request
        if self.connection.family != socket.AF_UNIX:
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self.channel = Channel(self.connection)
        self.rfile = io.BufferedReader(self.channel)
        self.wfile = io.BufferedWriter(self.channel)  # headers and body leave together
        self._is_known = False

    def finish(self) -> None:
        """Ignores what could not be sent."""

    def handle_one_request(self) -> None:
        """Waits for a request, then replies; a late client, or one that leaves, ends the connection."""
        try:
            self._enter(Stage.IDLE if self._is_known else Stage.NEW)
            self.channel.allow(_IDLE_SECONDS if self._is_known else _HEAD_SECONDS, _MAX_HEAD)
            if not self.rfile.peek(1):
                self.close_connection = True
                return
            self.channel.allow(_HEAD_SECONDS, _MAX_HEAD)
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def do_GET(self) -> None:
        self.close_connection |= admission.has_body(self.headers)
        self._answer(partial(self._look_up, self.server.busy.number))

    def do_POST(self) -> None:
        self._answer(self._embed)

    def _answer(self, find: Callable[[], bytes]) -> None:
        with self.server.busy:
            try:
                with self._closed_if_refused():
                    admission.check_source(self.headers, self.server.listening.hosts)
                self._send(HTTPStatus.OK, find())
            except Refusal as refusal:
                self._send(refusal.status, refusal.body())
            except (ConnectionError, TimeoutError):
                self.close_connection = True
            except Exception:
                _log.exception("A request failed")
                self._send(HTTPStatus.INTERNAL_SERVER_ERROR, _FAILED.body())

    def _look_up(self, others: int) -> bytes:
        path = self._path({"/v1/models", "/health", server_proof.PATH})
        if path == server_proof.PATH:
            return self._prove()
        if path == "/v1/models":
            return protocol.models()
        return b'{"status":"ok","requests":%d}' % others

    def _prove(self) -> bytes:
        listening = self.server.listening
        nonce = parse_qs(self.path.partition("?")[2][:200]).get("nonce", [""])[0]
        if not listening.secret or not server_proof.is_nonce(nonce):
            message = f"{server_proof.PATH} is for TCP, and needs nonce= and 64 hexadecimal digits."
            raise Refusal(HTTPStatus.BAD_REQUEST, "invalid_nonce", message)
        address = listening.name.removeprefix("http://")
        return server_proof.of(listening.secret, address, nonce).encode()

    def _embed(self) -> bytes:
        length = self._admitted_length()
        self._enter(Stage.SENDING_BODY)
        with self.server.large_bodies.of(length) as has_room:
            if not has_room:
                with self._closed_if_refused():
                    raise _FULL
            body = self._body(length)
            self._enter(Stage.WORKING)
            self._path({"/v1/embeddings"})
            request = protocol.read(body)
            return protocol.answer(request, self._vectors(request.texts))

    def _admitted_length(self) -> int:
        """The length of the body, if the headers allow reading it."""
        with self._closed_if_refused():
            admission.check_token(self.headers, self.server.listening.secret)
            admission.check_type(self.headers)
            length = admission.body_length(self.headers, MAX_BODY)
        self._is_known = True
        return length

    @contextlib.contextmanager
    def _closed_if_refused(self) -> Iterator[None]:
        """A refusal in the block ends the connection: the body that follows is not read."""
        try:
            yield
        except Refusal:
            self.close_connection = True
            raise

    def _path(self, known: set[str]) -> str:
        path = self.path.partition("?")[0]
        if path not in known:
            raise Refusal(HTTPStatus.NOT_FOUND, "not_found", f"There is no {self.command} {path[:200]} here.")
        return path

    def _body(self, length: int) -> bytes:
        self.channel.allow(_BODY_SECONDS + length / _BYTES_A_SECOND)
        body = self.rfile.read(length)
        if len(body) < length:
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
        """Whether the client has left: one that retries must not double the work."""
        self.connection.settimeout(0)
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        try:
            self._enter(Stage.READING_REPLY)
            self.channel.allow(_REPLY_SECONDS + len(body) / _BYTES_A_SECOND)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _enter(self, stage: Stage) -> None:
        self.server.connections.enter(self.connection, stage)

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing: callers log their requests, and no log may contain texts."""


_STOPPING = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "stopping", "The embedder is stopping: try again.")
_FULL = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "busy", "Other large requests are under way: try again.")
_FAILED = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "The embedder failed; see its log.")
