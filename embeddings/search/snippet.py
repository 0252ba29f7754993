"""The part of a text to show for a query's words; pure."""

import re

LENGTH = 320
_LEAD = 60
_WORD = re.compile(r"\w+")
_LEAST = 3  # letters: shorter words occur everywhere


def passage_of(content: str, query: str) -> tuple[int, int]:
    """(start, end) of about LENGTH characters around the first word of the query that the text holds, at word
    boundaries; the beginning if it contains none."""
    words = {word for word in _WORD.findall(query.lower()) if len(word) >= _LEAST}
    found = _first_of(words, content)
    start = max(found - _LEAD, 0)
    if start:
        start = content.rfind(" ", 0, start) + 1 if " " in content[:start] else start
    end = min(start + LENGTH, len(content))
    if end < len(content):
        end = max(content.rfind(" ", start, end), start + LENGTH // 2)
    return start, end


def _first_of(words: set[str], content: str) -> int:
    """Where the first word of the text begins that begins with one of these; 0 where none does."""
    lengths = sorted(set(map(len, words)))
    for match in _WORD.finditer(content) if words else ():
        found = match.group().lower()
        if any(found[:length] in words for length in lengths):
            return match.start()
    return 0
