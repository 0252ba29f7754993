"""JSON in and out for the API: fast where it can be, exact where it must be."""

import json
import re
from typing import Any

import orjson
from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.parser import Parser
from ninja.renderers import BaseRenderer
from ninja.responses import NinjaJSONEncoder

# The fast reader turns whole numbers beyond 64 bits into fractions; the exact one keeps them, so that they can be
# refused instead of changed. What the fast one refuses (half of a surrogate pair, 1e400), the exact one would take.
_LONG_NUMBER = re.compile(rb"[0-9]{19}")


class JsonParser(Parser):
    """Reads JSON bodies."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Raises HttpError: 415 for another content type or a compressed body, 400 for invalid JSON."""
        if request.content_type != "application/json":
            given = f"'{request.content_type[:100]}'" if request.content_type else "none"
            raise HttpError(
                415, f"the body must have the Content-Type 'application/json'; this one has {given}"
            )
        # not request.headers, which would be made of all headers for this one
        encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
        if encoding not in {"", "identity"}:
            raise HttpError(
                415, f"the body must not be compressed; its Content-Encoding is {encoding[:100]!r}"
            )
        return parse(request.body)


class JsonRenderer(BaseRenderer):
    """Writes replies."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return dump(data)


def parse(body: bytes) -> Any:
    """The value of a body. Raises HttpError 400 if it is not JSON (RFC 8259) in UTF-8."""
    try:
        fast = orjson.loads(body)
        return json.loads(body) if _LONG_NUMBER.search(body) else fast
    except (ValueError, RecursionError) as error:
        reason = _reason(_not_utf8(body) or error)
        raise HttpError(400, f"the body is not valid JSON: {reason}") from error


def dump(data: Any) -> bytes:
    """The value as JSON in UTF-8, times with a Z."""
    try:
        return orjson.dumps(data, option=orjson.OPT_UTC_Z)
    except TypeError:  # whole numbers beyond 64 bits, deep nesting, lone surrogates in what a client sent
        return json.dumps(data, cls=NinjaJSONEncoder).encode()


def _not_utf8(body: bytes) -> UnicodeDecodeError | None:
    """Where the body is not UTF-8, which the fast reader does not say."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is not UTF-8, in which JSON is sent"
    return str(error)[:200]
