"""Addresses of servers in words for people: without their passwords, whatever characters those have. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from redis.connection import parse_url

MASK = "****"


def database_in_words(scheme: str, parsed: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """An address of a database without its password, from the parts that are used: a pattern could miss one."""
    user = "".join([parsed.get("USER") or "", f":{MASK}" if parsed.get("PASSWORD") else ""])
    host = parsed.get("HOST") or ""
    port = f":{parsed['PORT']}" if parsed.get("PORT") else ""
    # psycopg accepts a socket folder as host, which the address has behind the question mark
    folder = {"host": host} if host.startswith("/") else {}
    place = "" if folder else f"{host}{port}"
    known = {name: MASK if "password" in name.lower() else value for name, value in options.items()}
    rest = urlencode(folder | known, safe="/*")
    return f"{scheme}://{f'{user}@' if user else ''}{place}/{parsed['NAME']}{f'?{rest}' if rest else ''}"


def redis_in_words(url: str) -> str:
    """An address of Redis without its password, from the parts that are used. Raises ValueError."""
    parse = cast(Callable[[str], dict[str, Any]], parse_url)
    found = parse(url)
    user = "".join([found.get("username") or "", f":{MASK}" if found.get("password") else ""])
    place = found.get("path") or f"{found.get('host', 'localhost')}:{found.get('port', 6379)}"
    return f"{urlsplit(url).scheme}://{f'{user}@' if user else ''}{place}?db={found.get('db', 0)}"
