"""Typed readers of settings, from the environment or the file `.env`, that refuse a bad value in one sentence."""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from access.addresses import Network
from config import env_source, masking
from config.env_source import FileSummary, raw

_CONTACT = re.compile(r"(?:mailto:|https://|tel:)[!-~]{1,500}")
_FLAGS = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}


class Reading(NamedTuple):
    """A variable's value and where it comes from, in words and without passwords."""

    value: str
    origin: str
    is_set: bool


_readings: dict[str, Reading] = {}


def readings() -> Mapping[str, Reading]:
    """Every variable that was read until now, by name, for people to look at."""
    return dict(_readings)


def _noted[T](name: str, value: T, words: str | None = None) -> T:
    said = str(value).lower() if isinstance(value, bool) else str(value)
    _readings[name] = Reading(said if words is None else words, env_source.origin(name), bool(raw(name)))
    return value


def file(name: str) -> FileSummary:
    """The file of settings that this variable names; `.env` beside manage.py if it names none."""
    found = env_source.summary()
    return _noted(name, found, found.path or env_source.NONE)


def path(name: str, default: str) -> Path:
    """A folder; a relative one is of the working folder, or of the file's folder if it is set there."""
    found = Path(text(name, default)).expanduser()
    return env_source.file().folder / found if env_source.is_from_file(name) else found


def refuse(name: str, value: str, may_hold: str) -> ImproperlyConfigured:
    """The one sentence about a value that cannot be used; for the caller to raise."""
    return ImproperlyConfigured(f"{env_source.place(name)} holds {value!r}; it may hold {may_hold}.")


def text(name: str, default: str = "") -> str:
    """The variable's text; an empty one counts as unset."""
    return _noted(name, raw(name) or default)


_SHORTEST_SECRET = 32
_FEWEST_CHARACTERS = 5  # as Django counts for SECRET_KEY


def secret(name: str) -> str:
    """A secret text, empty if it is not set; it is never printed."""
    value = raw(name)
    if value and (len(value) < _SHORTEST_SECRET or len(set(value)) < _FEWEST_CHARACTERS):
        raise ImproperlyConfigured(
            f"{env_source.place(name)} has {len(value)} characters, {len(set(value))} different ones; it may hold "
            f"{_SHORTEST_SECRET} or more, {_FEWEST_CHARACTERS} different ones at least: python3 -c 'import secrets; "
            "print(secrets.token_urlsafe(48))' makes one, and unset, one is made and kept in DATA_DIR."
        )
    return _noted(name, value, masking.MASK if value else "")


def key(name: str) -> str:
    """A secret that is sent in a header of HTTP, so of visible ASCII characters only."""
    value = raw(name)
    if not all("!" <= character <= "~" for character in value):
        raise ImproperlyConfigured(
            f"{env_source.place(name)} holds a character that no key has: a blank, a line break, a control character "
            "or one beyond ASCII. Copy the key again; it is not shown here."
        )
    return _noted(name, value, masking.MASK if value else "")


def parsed[T](name: str, default: str, parse: Callable[[str], T], words: Callable[[T], str] = str) -> T:
    """What `parse` makes of the variable's text, or of the default; it raises ImproperlyConfigured. `words` is the
    value as people see it, without secrets."""
    found = parse(raw(name) or default)
    return _noted(name, found, words(found))


def drill(name: str) -> str:
    """Like `text`, for what only drills set: no user needs to know of it, so the README does not list it."""
    return _noted(name, raw(name))


def flag(name: str, default: bool) -> bool:
    """true/1/yes/on or false/0/no/off, in any case."""
    value = raw(name)
    if value and value.lower() not in _FLAGS:
        raise refuse(name, value, "true or false")
    return _noted(name, _FLAGS[value.lower()] if value else default)


def integer(name: str, default: int, low: int, high: int, unit: str = "") -> int:
    """A whole number within `low`..`high` (both allowed)."""
    value = raw(name)
    if not value:
        return _noted(name, default)
    may_hold = f"a whole number from {low:,} to {high:,}{f' ({unit})' if unit else ''}"
    try:
        number = int(value)
    except ValueError:
        raise refuse(name, value, may_hold) from None
    if not low <= number <= high:
        raise refuse(name, value, may_hold)
    return _noted(name, number)


def choice(name: str, default: str, allowed: Sequence[str]) -> str:
    """One of a closed set of words, in any case."""
    value = (raw(name) or default).lower()
    if value not in allowed:
        raise refuse(name, value, " or ".join([", ".join(allowed[:-1]), allowed[-1]]))
    return _noted(name, value)


def networks(name: str, default: str = "") -> list[Network]:
    """Addresses and networks (10.0.0.0/8), parted by commas."""
    value = raw(name) or default
    try:
        found = [ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip()]
    except ValueError:
        raise refuse(
            name, value, "addresses or networks parted by commas, such as 127.0.0.1,10.0.0.0/8"
        ) from None
    return _noted(name, found, value)


_ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_SITE = re.compile(r"\A([^/]*//[^/]*)((?:/[A-Za-z0-9._~-]+)*)")


def site(name: str) -> str:
    """The address of a site as a browser shows it: scheme, name and port in lower case, and the path that it is below,
    if any, without a slash at its end; empty where it is not set."""
    value = raw(name).rstrip("/")
    parts = _SITE.fullmatch(value)
    if value and not (parts and _is_origin(parts[1].lower()) and not {".", ".."} & set(parts[2].split("/"))):
        raise refuse(
            name, value, "https://name, https://name:port or https://name/path, without a user or a query"
        )
    return _noted(name, parts[1].lower() + parts[2] if parts else "")


def origins(name: str) -> list[str]:
    """Origins parted by commas, none by default: scheme, name and port, in lower case."""
    found = [part.strip().lower() for part in raw(name).split(",") if part.strip()]
    for each in found:
        if not _is_origin(each):
            raise refuse(
                name,
                each,
                "origins parted by commas, each https://name or https://name:port without a slash at its end",
            )
    return _noted(name, found, ",".join(found))


def _is_origin(value: str) -> bool:
    try:
        return bool(_ORIGIN.fullmatch(value)) and urlsplit(value).port != 0
    except ValueError:
        return False


_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,63})?")


def header(name: str) -> str:
    """The name of an HTTP header, empty where it is not set."""
    value = raw(name)
    if not _HEADER.fullmatch(value):
        raise refuse(name, value, "the name of a header in letters, digits and -, such as X-Forwarded-User")
    return _noted(name, value)


def contact(name: str) -> str:
    """A contact: mailto:, https: or tel:, in visible ASCII; empty if not set."""
    value = raw(name)
    if value and not _CONTACT.fullmatch(value):
        raise refuse(name, value, "mailto:name@example.org, https://… or tel:+…")
    return _noted(name, value)


def http_url(name: str, default: str) -> str:
    """An http(s) address without user, query or fragment; a trailing slash is dropped."""
    value = raw(name) or default
    try:
        parts = urlsplit(value)
        sound = parts.scheme in {"http", "https"} and parts.hostname and not (parts.query or parts.fragment)
        sound = sound and value.isprintable() and " " not in value
        _ = parts.port
    except ValueError:
        sound, parts = False, urlsplit("")
    if not sound or parts.username or parts.password:
        raise ImproperlyConfigured(
            f"{env_source.place(name)} is not an address we can use; it may hold http://host[:port][/path] or "
            "https://…, without a user, a query or a fragment."
        )
    return _noted(name, value.rstrip("/"))


# libpq detects a server lost without a reset (cable, power, failover) after half a minute. By default it would wait
# for hours. https://www.postgresql.org/docs/current/libpq-connect.html
_NOTICED = {
    "connect_timeout": 5,  # seconds, as the next two
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}


def database(name: str, default: str) -> dict[str, Any]:
    """Django's settings of a postgresql:// address; `?host=/folder` names a socket folder. What the address says of
    time-outs comes before ours."""
    parse = cast(Callable[[str], dict[str, Any]], environ.Env.db_url_config)
    value = raw(name) or default
    try:
        parsed = parse(value)
    except Exception:
        parsed = {}
    if parsed.get("ENGINE") != "django.db.backends.postgresql" or not parsed.get("NAME"):
        raise ImproperlyConfigured(  # the value may hold a password, so it is not repeated
            f"{env_source.place(name)} cannot be read; it may hold postgresql://user:password@host:port/database "
            "or postgresql://user@/database?host=/socket/folder."
        )
    options = parsed.get("OPTIONS", {})
    _noted(name, value, masking.database_in_words(urlsplit(value).scheme, parsed, options))
    parsed["OPTIONS"] = _NOTICED | options
    return parsed


def redis_url(name: str, default: str) -> str:
    """A redis://, rediss:// or unix:// address."""
    value = raw(name) or default
    try:
        words = masking.redis_in_words(value)
    except ValueError:  # the value may hold a password, so it is not repeated
        raise ImproperlyConfigured(
            f"{env_source.place(name)} cannot be read; it may hold redis://[:password@]host:port/number, rediss://… or unix:///socket."
        ) from None
    return _noted(name, value, words)


def prices(name: str) -> dict[str, float]:
    """Pairs of MODEL=PRICE, parted by commas; none by default."""
    value = text(name)
    found = {}
    for pair in value.split(",") if value else []:
        model, _, price = pair.partition("=")
        try:
            found[model.strip()] = float(price)
        except ValueError:
            found[model.strip()] = -1.0
        if not model.strip() or not 0 <= found[model.strip()] < math.inf:
            raise refuse(name, value, "MODEL=DOLLARS for a million tokens, several parted by commas")
    return found
