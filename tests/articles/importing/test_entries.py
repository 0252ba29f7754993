"""A refusal is shown on terminals, and its place may be a name that somebody else chose."""

import pytest

from articles import limits
from articles.importing.entries import MAX_ENTRY_BYTES, RefusedEntry


@pytest.mark.parametrize("hostile", ["a\nb", "a\rb", "\x1b[2J", "\u202eb", "\x00"])
def test_a_refusal_is_one_line_without_what_acts_on_a_terminal(hostile: str) -> None:
    line = str(RefusedEntry(hostile, hostile))
    assert len(line.splitlines()) == 1
    assert hostile not in line
    assert line.isprintable()


def test_the_longest_line_has_room_for_the_longest_article() -> None:
    escaped = len(b"\\ud83d\\ude42") * limits.MAX_CONTENT
    rest = 12 * (limits.MAX_TITLE + limits.MAX_SLUG) + 12 * limits.MAX_METADATA_BYTES
    assert escaped + rest < MAX_ENTRY_BYTES
