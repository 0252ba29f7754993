"""Entity tags of articles, and the conditions of requests on them (RFC 9110, section 13)."""

import re
from datetime import datetime

from django.utils.http import parse_etags

_CODING = re.compile(r'[-;](?:gzip|br|zstd|deflate)"$')  # Apache and Caddy add it


def etag(version_number: int, updated_at: datetime) -> str:
    """The strong tag of an article's state: each write moves `updated_at`, to the microsecond."""
    return f'"{version_number}-{updated_at.timestamp() * 1_000_000:.0f}"'


def may_write(if_match: str | None, current: str) -> bool:
    """Whether a write may proceed under this If-Match: none, `*`, or a list that names the current tag.

    A compressed reply carries a weak tag, or one with the coding at its end, from us and from proxies. It is taken for
    the same: a tag names an article's state, not its bytes. A header that cannot be read matches nothing.
    """
    return if_match is None or _names(if_match, current)


def is_known(if_none_match: str | None, current: str) -> bool:
    """Whether the reader already has this state, by If-None-Match: `*`, or a list that names the current tag."""
    return if_none_match is not None and _names(if_none_match, current)


def _names(header: str, current: str) -> bool:
    tags = parse_etags(header)
    return tags == ["*"] or current in [_CODING.sub('"', tag.removeprefix("W/")) for tag in tags]
