"""Which requests are read at all: decided by their headers, before any of their body is.

A web page in a browser of this machine can reach loopback. It cannot set Host, hide Origin, or post JSON without being
asked for permission first, which is never given: https://fetch.spec.whatwg.org/#http-cors-protocol.
"""

from collections.abc import Set
from email.message import Message
from http import HTTPStatus

from embeddings.servers.local_embedder import server_proof
from embeddings.servers.local_embedder.protocol import Refusal


def check_source(headers: Message, hosts: Set[str]) -> None:
    """Refuses a request for another host, and one that a web page sends."""
    named = headers.get_all("Host", [])
    if len(named) != 1 or named[0].strip().lower() not in hosts:
        message = f"The request is for another host; the one here is {' or '.join(sorted(hosts))}."
        raise Refusal(HTTPStatus.MISDIRECTED_REQUEST, "wrong_host", message)
    if "Origin" in headers:
        raise Refusal(HTTPStatus.FORBIDDEN, "web_page", "Requests from web pages (Origin) are refused.")


def check_token(headers: Message, secret: str) -> None:
    """Refuses a request without the token of this secret; "": none is needed."""
    if not secret:
        return
    given = headers.get_all("Authorization", [])
    if len(given) != 1 or not server_proof.matches(given[0], f"Bearer {server_proof.token(secret)}"):
        message = (
            "The request needs Authorization: Bearer, with the token of this installation's embedder secret."
        )
        raise Refusal(HTTPStatus.UNAUTHORIZED, "no_token", message)


def check_type(headers: Message) -> None:
    """Refuses a body that is not JSON by its Content-Type."""
    kind = headers.get_content_type() if headers.get_all("Content-Type", []) else "missing"
    if kind != "application/json":
        message = f"The Content-Type is {kind[:80]}; it must be application/json."
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_json", message)


def body_length(headers: Message, most: int) -> int:
    """The Content-Length; refuses a body of unknown length or of more than `most` bytes."""
    announced = headers.get_all("Content-Length", [])
    if len(announced) != 1 or "Transfer-Encoding" in headers or not _is_number(announced[0]):
        raise Refusal(HTTPStatus.LENGTH_REQUIRED, "length_required", "The request has no Content-Length.")
    if int(announced[0]) > most:
        message = f"The body has {announced[0]} bytes; at most {most} are read."
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", message)
    return int(announced[0])


def has_body(headers: Message) -> bool:
    """Whether bytes follow the headers that are not the next request."""
    return "Transfer-Encoding" in headers or headers.get("Content-Length", "0") != "0"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
