"""The WSGI environ of a request (PEP 3333), made from its ASGI scope."""

import sys
from collections.abc import Mapping
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from config.serving.answers import RefusedError

type Scope = Mapping[str, Any]

_ALWAYS: dict[str, Any] = {
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "vectorpress",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}
# The body is whole and its length known, whatever its sender announced. `Proxy` would become HTTP_PROXY, which
# programs read as a setting of their own (httpoxy).
_DROPPED = frozenset({b"content-length", b"transfer-encoding", b"expect", b"proxy"})
_KEYS: dict[bytes, str] = {b"content-type": "CONTENT_TYPE", b"host": "HTTP_HOST"}
_MAX_KEYS = 500


def environ_of(scope: Scope, body: bytes) -> dict[str, Any]:
    """The environ, with this body to read. Raises RefusedError for a request with two Host headers."""
    host, port = scope.get("server") or ("", 0)
    client, client_port = scope.get("client") or ("", 0)
    version = scope["http_version"]
    environ = _ALWAYS | {
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": path_of(scope),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{version if '.' in version else f'{version}.0'}",
        "REMOTE_ADDR": client,
        "REMOTE_PORT": str(client_port),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(body),
    }
    for name, value in scope["headers"]:
        if name not in _DROPPED and b"_" not in name:  # `X_Real_Ip` would pass for `X-Real-Ip`
            _add(environ, name, value.decode("latin-1"))
    return environ


def path_of(scope: Scope) -> str:
    """The path, its escapes resolved and each byte a character, as PEP 3333 has it."""
    raw: bytes | None = scope.get("raw_path")
    if raw is None:
        return str(scope["path"]).encode().decode("latin-1")
    return (unquote_to_bytes(raw) if b"%" in raw else raw).decode("latin-1")


def origin_of(scope: Scope) -> str:
    """The header Origin: of the page that asks, where a browser sends it; several as one, which no page has."""
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"origin")


def _add(environ: dict[str, Any], name: bytes, value: str) -> None:
    key = _KEYS.get(name) or _key(name)
    if key not in environ:
        environ[key] = value
    elif name == b"host":
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the request has two Host headers; send one")
    else:
        environ[key] += ("; " if name == b"cookie" else ",") + value


def _key(name: bytes) -> str:
    key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
    if len(_KEYS) < _MAX_KEYS:
        _KEYS[name] = key
    return key
