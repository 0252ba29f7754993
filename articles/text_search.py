"""What people ask for in words, so that Postgres can read it as a query."""

import re

# A minus that stands before no word: Postgres takes each for a "not", and fails where 32 of them follow one another.
_LONE_MINUS = re.compile(r'(?<=[^\s\w])-|-(?![\w"])')


def for_websearch(query: str) -> str:
    """The query as `websearch_to_tsquery` takes it: NUL, and minus signs that exclude nothing, become blanks."""
    return _LONE_MINUS.sub(" ", query.replace("\x00", " "))
