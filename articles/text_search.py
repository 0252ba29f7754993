"""Makes a query of words readable for Postgres."""

import re

# A minus before no word: Postgres reads each as "not", and fails after 32 in a row.
_LONE_MINUS = re.compile(r'(?<=[^\s\w])-|-(?![\w"])')


def for_websearch(query: str) -> str:
    """The query as `websearch_to_tsquery` takes it: NUL, and minus signs that exclude nothing, become blanks."""
    return _LONE_MINUS.sub(" ", query.replace("\x00", " "))
