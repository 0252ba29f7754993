"""A client that speaks HTTP by hand, so that it can do what a good client would not."""

import json
import socket
import time
from typing import Any

SMALL_BUFFER = 4_096


class Talk:
    """One connection."""

    def __init__(self, port: int, sent: bytes = b"", *, buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(10)
        try:
            self.socket.connect(("127.0.0.1", port))
            self.send(sent)
        except OSError:
            self.close()
            raise

    def send(self, data: bytes) -> "Talk":
        self.socket.sendall(data)
        return self

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer that says its length."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            assert byte, f"the connection ended after {head!r}"
            head += byte
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        body = b""
        while missing := int(headers.get("content-length", 0)) - len(body):
            body += self.socket.recv(missing)
        return int(first.split()[1]), headers, body

    def status(self) -> int:
        return self.answer()[0]

    def rest(self) -> bytes:
        """All that comes until the connection ends."""
        found = b""
        while True:
            try:
                data = self.socket.recv(65_536)
            except ConnectionError:
                return found
            if not data:
                return found
            found += data

    def seconds_to_end(self) -> float:
        """How long it takes until the server ends the connection."""
        started = time.monotonic()
        self.rest()
        return time.monotonic() - started

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def request(
    path: str, method: str = "GET", headers: bytes = b"", body: bytes = b"", length: int | None = None
) -> bytes:
    """A request; `length` is what it announces, which may be more than it sends."""
    announced = len(body) if length is None else length
    told = b"Content-Length: %d\r\n" % announced if announced else b""
    return b"%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n%s" % (
        method.encode(),
        path.encode(),
        headers,
        told,
        body,
    )


def ask(port: int, path: str, method: str = "GET", headers: bytes = b"", body: bytes = b"") -> Any:
    """Status, headers and body of one request on a connection of its own."""
    with Talk(port, request(path, method, headers, body)) as talk:
        return talk.answer()


def ask_json(port: int, path: str, **more: Any) -> dict[str, Any]:
    """The JSON that a path answers."""
    status, _, body = ask(port, path, **more)
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found
