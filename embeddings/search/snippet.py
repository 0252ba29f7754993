"""The part of a text to show for a query's words; pure."""

import re
from collections.abc import Sequence
from itertools import islice

from articles.letter_folding import UNSPACED

LENGTH = 320
_LEAD = 60
# A word as the full-text index counts them: each character of a script without spaces is one.
_WORD = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")
_LEAST = 3  # letters: shorter words occur everywhere
_MOST_WORDS = 32
# Words of the text that are looked through; a passage has 100.
_LOOKED_AT = 150
_UNSPACED = re.compile(f"[{UNSPACED}]")


def passage_of(content: str, words: Sequence[str], first: int = 0) -> tuple[int, int]:
    """(start, end) of about LENGTH characters around the first of these words that the text holds, at word boundaries,
    looked for from the text's word number `first` on; what begins there if none is found."""
    begin = next((match.start() for match in islice(_WORD.finditer(content), first, None)), 0)
    found = _first_of(words, content, begin)
    start = max(found - _LEAD, 0)
    if start and not _UNSPACED.match(content, start):
        start = content.rfind(" ", 0, start) + 1 if " " in content[max(start - LENGTH, 0) : start] else start
    end = min(start + LENGTH, len(content))
    if end < len(content):
        end = max(content.rfind(" ", start, end), start + LENGTH // 2)
    return start, end


def _first_of(words: Sequence[str], content: str, begin: int) -> int:
    """Where the first word of the text begins that begins with one of these; `begin` where none does."""
    spaced = {word.lower() for word in words[:_MOST_WORDS] if len(word) >= _LEAST}
    lengths = sorted(set(map(len, spaced)))
    unspaced = [word for word in words[:_MOST_WORDS] if _UNSPACED.match(word)]
    for match in islice(_WORD.finditer(content, begin), _LOOKED_AT):
        found = match.group().lower()
        if any(found[:length] in spaced for length in lengths):
            return match.start()
        if any(content.startswith(word, match.start()) for word in unspaced):
            return match.start()
    return begin
