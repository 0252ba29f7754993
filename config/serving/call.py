"""One call of a WSGI application (PEP 3333), made in a thread from beginning to end.

Django's connections to the database belong to the thread and are given back by the response's `close`, so nothing of a
call may happen in another thread.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from types import TracebackType
from typing import Any

from config.serving.answers import Answer, Headers
from config.serving.reply import PIECE
from config.serving.streams import Stream

type Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
type ExcInfo = tuple[type[BaseException], BaseException, TracebackType]

_WITHOUT_BODY = frozenset({204, 304})


class Call:
    """`open_stream` opens a reply of more than `read_ahead` bytes. It may raise RefusedError."""

    def __init__(
        self,
        application: Application,
        environ: dict[str, Any],
        read_ahead: int,
        open_stream: Callable[[], Stream],
    ) -> None:
        self._application = application
        self._environ = environ
        self._read_ahead = read_ahead
        self._open_stream = open_stream
        self.is_streaming = False
        self._status = 0
        self._headers: Headers = []
        self._parts: list[bytes] = []

    def run(self) -> Answer | None:
        """The reply; None if it was a stream and has been sent. Raises the application's errors."""
        response = self._application(self._environ, self._start_response)
        try:
            pieces = iter(response)
            is_long = self._read(pieces)
            if is_long:
                self._send(pieces)
                return None
        finally:
            if close := getattr(response, "close", None):
                close()
        if not self._status:
            raise RuntimeError("the application did not call start_response")
        return Answer(self._status, self._headers, b"" if self._is_bodyless else b"".join(self._parts))

    @property
    def _is_bodyless(self) -> bool:
        return self._environ["REQUEST_METHOD"] == "HEAD" or self._status in _WITHOUT_BODY

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        # Nothing is sent before `run` has seen the body, so a second call with exc_info may always replace the first.
        if self._status and exc_info is None:
            raise RuntimeError("the application called start_response twice")
        self._status = int(status[:3])
        self._headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return self._parts.append

    def _read(self, pieces: Iterator[bytes]) -> bool:
        """Takes in what fits, and the piece that does not; True when there is more."""
        size = sum(map(len, self._parts))
        for piece in pieces:
            if size > self._read_ahead:
                self._parts.append(piece)
                return True
            if piece and self._is_bodyless:
                return False
            self._parts.append(piece)
            size += len(piece)
        return False

    def _send(self, pieces: Iterator[bytes]) -> None:
        """Sends what was taken in, and then what comes, in pieces of about one size."""
        with self._open_stream() as stream:
            self.is_streaming = True
            stream.start(self._status, self._headers)
            taken_in, self._parts = b"".join(self._parts), []
            buffer = bytearray()
            for piece in chain([taken_in], pieces):
                buffer += piece
                while len(buffer) > PIECE:
                    stream.write(bytes(buffer[:PIECE]))
                    del buffer[:PIECE]
            stream.end(bytes(buffer))
