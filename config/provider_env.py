"""Readers of the settings for reaching an embedding server: address, headers, fields, prefixes, proxy, authorities."""

import re
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import orjson
from django.core.exceptions import ImproperlyConfigured

from config import env, env_source, masking
from embeddings.providers.proxies import ENVIRONMENT

NO_PREFIX = "none"
DEFAULT_MODELS = {
    "local": "all-MiniLM-L6-v2",
    "openai": "text-embedding-3-small",
    "ollama": "nomic-embed-text",
}
OPENAI_URL = "https://api.openai.com/v1"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
# What the client itself writes: another value would change how a request or its reply is read.
_OURS = (
    "host", "connection", "content-length", "content-type", "transfer-encoding", "accept-encoding", "te", "upgrade"
)  # fmt: skip
_SENT_BY_US = ("model", "input")
# A parameter of an address that is shown; others may be keys.
_SHOWN_PARAMETER = "api-version"


def check(provider: str, model: str, key: str, url: str) -> None:
    """Raises ImproperlyConfigured for a provider without its key, or with a model that it does not have."""
    if provider == "local" and model != DEFAULT_MODELS["local"]:
        raise env.refuse("EMBEDDING_MODEL", model, f"{DEFAULT_MODELS['local']} with EMBEDDING_PROVIDER=local")
    if provider == "openai" and not key and url == OPENAI_URL:
        raise env.refuse("OPENAI_API_KEY", "", "a key, unless OPENAI_BASE_URL names a server that needs none")


def base_url(name: str, default: str) -> str:
    """An http(s) address, with a query if it has one; a trailing slash of the path is dropped."""
    return env.parsed(name, default, lambda value: _base_url(name, value), _address_in_words)


def _base_url(name: str, value: str) -> str:
    try:
        parts = urlsplit(value)
        _ = parts.port
        is_sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and value.isprintable()
    except ValueError:
        is_sound, parts = False, urlsplit("")
    if not is_sound or " " in value or parts.fragment or parts.username or parts.password:
        raise ImproperlyConfigured(
            f"{env_source.place(name)} is not an address we can use; it may hold http://host[:port][/path] or "
            "https://…, with a query such as ?api-version=2024-10-21, without a user or a fragment."
        )
    return urlunsplit(parts._replace(path=parts.path.rstrip("/")))


def _address_in_words(url: str) -> str:
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    known = [(key, value if key == _SHOWN_PARAMETER else masking.MASK) for key, value in query]
    return urlunsplit(parts._replace(query=urlencode(known, safe="*")))


def headers(name: str) -> tuple[tuple[str, str], ...]:
    """NAME=VALUE,NAME=VALUE as OpenTelemetry writes headers: a comma in a value is %2C. Values are secrets."""
    return env.parsed(name, "", lambda value: _headers(name, value), _headers_in_words)


def _headers(name: str, value: str) -> tuple[tuple[str, str], ...]:
    found = []
    for number, pair in enumerate((pair for pair in value.split(",") if pair.strip()), start=1):
        header, equals, held = (part.strip() for part in pair.partition("="))
        held = unquote(held)
        if not equals or not _HEADER.fullmatch(header) or not held.isascii() or not held.isprintable():
            raise ImproperlyConfigured(  # the value is not repeated: it may be a secret
                f"{env_source.place(name)} cannot be read at its header {number}; it may hold NAME=VALUE,NAME=VALUE in "
                "ASCII, with %2C for a comma in a value."
            )
        if header.lower() in _OURS:
            raise ImproperlyConfigured(
                f"{env_source.place(name)} holds the header {header}, which Vectorpress writes itself: remove it."
            )
        found.append((header.lower(), held))
    return tuple(found)


def _headers_in_words(found: tuple[tuple[str, str], ...]) -> str:
    return ",".join(f"{header}={masking.MASK}" for header, _ in found)


def fields(name: str) -> dict[str, Any]:
    """A JSON object of fields to send with each request; empty if it is not set."""
    return env.parsed(
        name, "{}", lambda value: _fields(name, value), lambda found: orjson.dumps(found).decode()
    )


def _fields(name: str, value: str) -> dict[str, Any]:
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise env.refuse(name, value, 'a JSON object, such as {"input_type": "passage"}')
    if taken := sorted(found.keys() & set(_SENT_BY_US)):
        raise env.refuse(
            name, value, f"fields other than {' and '.join(_SENT_BY_US)}, not {', '.join(taken)}"
        )
    return found


def prefix(name: str) -> str | None:
    """What stands in front of each text; "" for `none`, None if it is not set. A blank is added behind it unless it
    ends in white space, and \\n is a line break."""
    return env.parsed(name, "", _prefix, _prefix_in_words)


def _prefix_in_words(found: str | None) -> str:
    return "the model's" if found is None else found or NO_PREFIX


def _prefix(value: str) -> str | None:
    if not value:
        return None
    if value.lower() == NO_PREFIX:
        return ""
    text = value.replace("\\n", "\n")
    return text if text[-1].isspace() else f"{text} "


def ca_file(name: str, default: str = "") -> str:
    """The path of a PEM file of certificates to trust instead of the built-in ones, empty for those."""
    return env.parsed(name, default, lambda value: _ca_file(name, value))


def _ca_file(name: str, value: str) -> str:
    if not value:
        return ""
    path = Path(value).expanduser()
    path = env_source.file().folder / path if env_source.is_from_file(name) else path.absolute()
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # SSLError is one
        reason = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror or "unreadable"
        raise env.refuse(
            name, value, f"the path of a PEM file of certificates (this one: {reason})"
        ) from None
    return str(path)


def proxy(name: str) -> str:
    """The address of an HTTP proxy, `environment` for what HTTPS_PROXY and its kin say, or empty for none."""
    return env.parsed(name, "", lambda value: _proxy(name, value), _proxy_in_words)


def _proxy(name: str, value: str) -> str:
    if not value or value.lower() == ENVIRONMENT:
        return value.lower()
    try:
        parts = urlsplit(value)
        _ = parts.port
        is_sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and value.isprintable()
    except ValueError:
        is_sound, parts = False, urlsplit("")
    if not is_sound or parts.query or parts.fragment or parts.path not in ("", "/"):
        raise ImproperlyConfigured(  # the value may hold a password, so it is not repeated
            f"{env_source.place(name)} is not a proxy we can use; it may hold http://[user:password@]host:port, or "
            "environment for what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say."
        )
    return value


def _proxy_in_words(value: str) -> str:
    parts = urlsplit(value)
    if not parts.hostname:
        return value
    user = f"{masking.MASK}@" if parts.username or parts.password else ""
    return f"{parts.scheme}://{user}{parts.hostname}{f':{parts.port}' if parts.port else ''}"
