"""The lines of a file of tasks: what the first, those of tasks and the last must be; anything else is refused.

A line that is taken here holds nothing that the columns of `embedding_tasks` cannot.
"""

import json
from datetime import datetime
from typing import IO, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

FORMAT, VERSION = "vectorpress-tasks", 1
# Far more than a task's row can hold; a file without line ends is refused before it fills the memory.
_MAX_LINE = 1 << 20
_TIME = (
    r"^[12][0-9]{3}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$"
)


class FileRefused(ValueError):
    """Why a file is not taken, in a sentence; nothing of it was written."""


class Head(BaseModel):
    """Says what the file is."""

    format: str
    version: int
    exported_at: datetime


def _without_nul[T](value: T) -> T:
    if _has_nul(value):
        raise ValueError("holds a NUL character, which the database cannot store")
    return value


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_nul, value)) or any(map(_has_nul, value.values()))
    if isinstance(value, list):
        return any(map(_has_nul, value))
    return isinstance(value, str) and "\x00" in value


type _Text = Annotated[str, AfterValidator(_without_nul)]
type _Time = Annotated[
    str,
    Field(pattern=_TIME),
    AfterValidator(datetime.fromisoformat),
]
type _Hash = Annotated[str, Field(pattern="^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$")]
type _Count = Annotated[int, Field(ge=0, lt=2**31)]


class Line(BaseModel):
    """One task, with each of its columns as the database can read them."""

    model_config = ConfigDict(extra="forbid", strict=True)
    id: int = Field(gt=0, lt=2**63)
    article: _Text
    space: _Text
    slug: _Text = Field(max_length=200)
    status: Literal["pending", "processing", "completed", "failed", "cancelled"]
    priority: Literal["low", "normal", "high"]
    attempts: _Count
    max_attempts: _Count
    created_at: _Time
    scheduled_at: _Time
    processed_at: _Time | None
    completed_at: _Time | None
    lease_expires_at: _Time | None
    claimed_by: _Text = Field(max_length=120)
    source_version: _Count | None
    content_hash: _Hash | None
    outcome: _Text = Field(max_length=16)
    error_class: _Text = Field(max_length=32)
    error_message: _Text
    metadata: Annotated[dict[str, Any], AfterValidator(_without_nul)]
    open: bool | None = None  # for readers of the file: of a failed task, whether it still matters


class Tail(BaseModel):
    """How many tasks the file holds, and the SHA-256 of all bytes before this line."""

    model_config = ConfigDict(extra="forbid")
    tasks: int
    sha256: str


def as_line(value: dict[str, Any]) -> bytes:
    """One line of JSON, its end included."""
    return json.dumps(value).encode() + b"\n"


def next_line(file: IO[bytes]) -> bytes:
    """The file's next line, empty at its end. Raises FileRefused."""
    line = file.readline(_MAX_LINE)
    if line and not line.endswith(b"\n"):
        raise FileRefused("the file is cut off or not a file of tasks: a line is incomplete")
    return line


def head(line: bytes) -> Head:
    """The first line. Raises FileRefused."""
    try:
        head = Head.model_validate_json(line)
    except ValidationError as error:
        raise FileRefused("the first line is not the header of a file of tasks") from error
    if head.format != FORMAT:
        raise FileRefused(f"the file is of the format {head.format!r}, not {FORMAT!r}")
    if head.version != VERSION:
        raise FileRefused(f"the file is of version {head.version}; this Vectorpress reads version {VERSION}")
    return head


def task(line: bytes, number: int) -> Line:
    """The line of this number, from 1. Raises FileRefused."""
    try:
        return Line.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the line"
        what = first["msg"].removeprefix("Value error, ")
        raise FileRefused(f"line {number} holds no task: {where}: {what}") from error


def tail(line: bytes) -> Tail:
    """The last line. Raises FileRefused."""
    try:
        return Tail.model_validate_json(line)
    except ValidationError as error:
        raise FileRefused("the last line does not hold the count of tasks and the checksum") from error
