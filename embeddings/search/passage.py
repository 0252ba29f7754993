"""Which stretch of a text to show for a query's words; pure."""

import re

LENGTH = 320
_LEAD = 60


def passage_of(content: str, query: str) -> tuple[int, int]:
    """(start, end) of about LENGTH characters around the first word of the query that the text holds, at word
    boundaries; the beginning where it holds none."""
    words = sorted(set(re.findall(r"\w{3,}", query)), key=len, reverse=True)
    found = (
        re.search("|".join(rf"\b{re.escape(word)}" for word in words), content, re.IGNORECASE)
        if words
        else None
    )
    start = max(found.start() - _LEAD, 0) if found else 0
    if start:
        start = content.rfind(" ", 0, start) + 1 if " " in content[:start] else start
    end = min(start + LENGTH, len(content))
    if end < len(content):
        end = max(content.rfind(" ", start, end), start + LENGTH // 2)
    return start, end
