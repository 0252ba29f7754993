"""A whole HTTP reply in memory, and reasons for replies that are not the application's."""

from http import HTTPStatus
from typing import NamedTuple

type Headers = list[tuple[bytes, bytes]]

RETRY_SECONDS = 2


class Answer(NamedTuple):
    status: int
    headers: Headers
    body: bytes


class RefusedError(Exception):
    """A request is refused before the application sees it: an HTTP status, and a sentence for the client."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail

    @property
    def headers(self) -> dict[str, str]:
        """Headers of its reply. It closes the connection: a body may still be in transit."""
        headers = {"Connection": "close", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        if self.status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = str(RETRY_SECONDS)
        return headers


class ClientLeftError(Exception):
    """The client has closed its connection."""


class BrokenOffError(Exception):
    """The reply has begun and cannot be finished: the client must notice that it is incomplete."""


def busy(detail: str) -> RefusedError:
    """For what would exceed the limits of this process at the moment."""
    return RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, f"{detail}; try again in {RETRY_SECONDS} s")


def in_plain_text(error: RefusedError, path: str, origin: str) -> Answer:
    """The refusal as a line of text, whatever was asked for."""
    return answer(error.status, error.detail.encode(), "text/plain; charset=utf-8", error.headers)


def answer(status: int, body: bytes, content_type: str, headers: dict[str, str]) -> Answer:
    """A reply with these headers."""
    named = {"Content-Type": content_type, "Content-Length": str(len(body))} | headers
    return Answer(
        status, [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items()], body
    )
