"""Reads HTTP/1.1 requests by hand: a framework would cost more than the work that is measured around it.

Source: RFC 9112, as far as clients of embedding servers use it: a Content-Length, no chunked bodies, no pipelining.
"""

from dataclasses import dataclass, field

MAX_HEAD = 64 * 1024
MAX_BODY = 64 * 1024 * 1024
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_ORIGIN = b"\r\norigin:"
_HOST = b"\r\nhost:"
_LOOPBACK = (b"127.0.0.1", b"localhost")


class Unreadable(ValueError):
    """Invalid request; `status` is the reply's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Request:
    """One request; `path` is without its query. `head` has the headers as they came."""

    method: str
    path: str
    body: bytes
    query: str = ""
    head: bytes = field(default=b"", compare=False)

    def has_header(self, name: str, value: str) -> bool:
        """Whether a header of this name, in any case, has exactly this value."""
        wanted = (name.strip().lower(), value.strip())
        lines = (line.partition(":") for line in self.head.decode("latin-1").split("\r\n")[1:])
        return any((found.strip().lower(), held.strip()) == wanted for found, _, held in lines)


@dataclass(frozen=True)
class _Head:
    method: str
    target: str
    head: bytes
    starts: int
    ends: int


class Reader:
    """Collects bytes until they make a request."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._head: _Head | None = None

    def feed(self, data: bytes) -> None:
        """Adds received bytes."""
        self._data += data

    def next(self) -> Request | None:
        """The next whole request, or None while it is incomplete; raises Unreadable."""
        self._head = self._head or self._find_head()
        head = self._head
        if head is None or len(self._data) < head.ends:
            return None
        with memoryview(self._data) as view:
            body = bytes(view[head.starts : head.ends])
        del self._data[: head.ends]
        self._head = None
        path, _, query = head.target.partition("?")
        return Request(head.method, path, body, query, head.head)

    def _find_head(self) -> _Head | None:
        end = self._data.find(_HEAD_END, 0, MAX_HEAD)
        if end < 0:
            if len(self._data) >= MAX_HEAD:
                raise Unreadable(431, "The request's headers are too long.")
            return None
        head = bytes(self._data[:end])
        line = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
        if len(line) != 3:
            raise Unreadable(400, "The request line cannot be read.")
        starts = end + len(_HEAD_END)
        lowered = head.lower()
        _check_source(lowered)
        return _Head(line[0], line[1], head, starts, starts + _body_length(lowered))


def _check_source(head: bytes) -> None:
    """Refuses requests of web pages and for other hosts, by `head` in lower case."""
    host = head.partition(_HOST)[2].partition(b"\r\n")[0].strip().partition(b":")[0]
    if _ORIGIN in head or (host and host not in _LOOPBACK):
        raise Unreadable(
            403, "Only programs of this machine are answered: no Origin, and Host 127.0.0.1 or localhost."
        )


def _body_length(head: bytes) -> int:
    """Bytes of body that `head`, in lower case, announces."""
    if b"\r\ntransfer-encoding:" in head:
        raise Unreadable(411, "Chunked bodies are not read: send a Content-Length.")
    _, announced, rest = head.partition(_LENGTH)
    value = rest.partition(b"\r\n")[0].strip()
    if not announced:
        return 0
    if not value.isdigit() or len(value) > 18:
        raise Unreadable(400, "The Content-Length cannot be read.")
    if int(value) > MAX_BODY:
        raise Unreadable(413, f"The body has {int(value)} bytes; at most {MAX_BODY} are read.")
    return int(value)
