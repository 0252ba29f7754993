"""Passes chunked bodies, of unknown length, to Django, which reads only bodies of known length."""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

type Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def with_chunked_bodies(application: Application, max_bytes: int) -> Application:
    """The WSGI application, with such a body read and its length set. Of a body over `max_bytes` no more is read
    than shows that it is too large."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower() and not environ.get(
            "CONTENT_LENGTH"
        ):
            body = environ["wsgi.input"].read(max_bytes + 1)
            environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)}
        return application(environ, start_response)

    return answer
