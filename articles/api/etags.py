"""Entity tags of articles, and the conditions of requests on them (RFC 9110, section 13)."""

from datetime import datetime

from django.utils.http import parse_etags


def etag(version_number: int, updated_at: datetime) -> str:
    """The strong tag of an article's state: each write moves `updated_at`, to the microsecond."""
    return f'"{version_number}-{updated_at.timestamp() * 1_000_000:.0f}"'


def may_write(if_match: str | None, current: str) -> bool:
    """Whether a write may proceed under this If-Match: none, `*`, or a list that names the current tag.

    Weak tags never match, as the strong comparison wants it; a header that cannot be read matches nothing.
    """
    return if_match is None or _names(if_match, current, weakly=False)


def is_known(if_none_match: str | None, current: str) -> bool:
    """Whether the reader already has this state, by If-None-Match: `*`, or a list that names the current tag."""
    return if_none_match is not None and _names(if_none_match, current, weakly=True)


def _names(header: str, current: str, weakly: bool) -> bool:
    tags = parse_etags(header)
    if weakly:
        tags = [tag.removeprefix("W/") for tag in tags]
    return tags == ["*"] or current in tags
