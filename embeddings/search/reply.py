"""The reply of a search."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MAX_SNIPPET = 4_000
"""Maximum characters of a hit's snippet: a chunk of mostly white space may be longer."""


class SearchMode(StrEnum):
    SEMANTIC = "semantic"
    KEYWORD = "keyword"
    HYBRID = "hybrid"


@dataclass(frozen=True)
class Hit:
    """An article with its best chunk. `start` and `end` are the chunk's characters in the content of version
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
    """Hits of one kind of search, and the path that found them."""

    hits: list[Hit]
    path: str


@dataclass(frozen=True)
class Reply:
    """If the reply is `degraded`, `answered_by` differs from `mode` and `reason` is a sentence.
    `path` names the kind of query; `timing_ms` has embed, search and total."""

    hits: list[Hit]
    mode: SearchMode
    answered_by: SearchMode
    space: str | None
    path: str
    degraded: bool = False
    reason: str = ""
    timing_ms: dict[str, float] = field(default_factory=dict)
