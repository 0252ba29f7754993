"""What a search answers."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MAX_SNIPPET = 4_000
"""Characters of a hit's snippet at most: a chunk may be longer where it is mostly white space."""


class SearchMode(StrEnum):
    SEMANTIC = "semantic"
    KEYWORD = "keyword"
    HYBRID = "hybrid"


@dataclass(frozen=True)
class Hit:
    """An article with its best passage. `start` and `end` are that passage's characters in the content of version
    `version_number`; `snippet` has the first MAX_SNIPPET of them, white space before the first word left out. `score`
    is comparable within one reply only."""

    slug: str
    title: str
    score: float
    snippet: str
    start: int
    end: int
    version_number: int
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Found:
    """Hits of one way of searching, and the path they came by."""

    hits: list[Hit]
    path: str


@dataclass(frozen=True)
class Reply:
    """`answered_by` differs from `mode` when the answer is `degraded`; `reason` then says why, for people to read.
    `path` names how the database was asked; `timing_ms` has embed, search and total."""

    hits: list[Hit]
    mode: SearchMode
    answered_by: SearchMode
    space: str | None
    path: str
    degraded: bool = False
    reason: str = ""
    timing_ms: dict[str, float] = field(default_factory=dict)
