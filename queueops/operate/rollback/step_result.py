"""One step of a drill, and how it ended."""

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    PASS = "pass"  # noqa: S105  no password
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True)
class Step:
    """`detail` is what was seen: what worked, what did not, or why it was left out."""

    name: str
    result: Result
    detail: str


class Broken(Exception):
    """What a step saw in place of what it was to see, in a sentence."""


def expect(holds: object, otherwise: str) -> None:
    """Raises Broken with the sentence unless it holds."""
    if not holds:
        raise Broken(otherwise)
