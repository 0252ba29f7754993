"""Tasks as a file of JSON lines, and back: complete, checksummed, versioned, and taken whole or not at all.

The first line says what the file is, each further one holds a task, and the last counts them and has the SHA-256 of all
bytes before it. Tasks name their article by its slug and their space by its name, so that they find them again in
another database. A task is known by article, space and time of creation: importing a file twice adds nothing.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from typing import IO, Any, Literal

from django.db import connection, transaction
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from queueops.models import AuditLog, Task
from queueops.signals import tasks_ready

FORMAT, VERSION = "vectorpress-tasks", 1
_PAGE = 1_000
# Far more than a task's row can hold; a file without line ends is refused before it fills the memory.
_MAX_LINE = 1 << 20

_PAGE_OF_TASKS = """
SELECT t.id, (to_jsonb(t) - '{article_id,space_id,priority_rank,claim_token}'::text[] || jsonb_build_object(
    'article', a.slug, 'space', s.provider || '/' || s.model || ' v' || s.version))::text
FROM embedding_tasks t JOIN articles a ON a.id = t.article_id JOIN embedding_spaces s ON s.id = t.space_id
WHERE t.id > %s ORDER BY t.id LIMIT %s
"""
# No worker holds what comes from a file: such a task waits again, and the attempt that was under way is not charged.
# An id that is taken by another task is replaced by a new one.
_INSERT = """
WITH given AS (
    SELECT g.*, a.id AS article_id, s.id AS space_id
    FROM jsonb_to_recordset(%(tasks)s) AS g (
        id bigint, article text, space text, slug text, status text, priority text, attempts int, max_attempts int,
        created_at timestamptz, scheduled_at timestamptz, processed_at timestamptz, completed_at timestamptz,
        source_version int, content_hash uuid, outcome text, error_class text, error_message text, metadata jsonb)
    LEFT JOIN articles a ON a.slug = g.article
    LEFT JOIN embedding_spaces s ON s.provider || '/' || s.model || ' v' || s.version = g.space
), fit AS (
    SELECT g.*, EXISTS (SELECT 1 FROM embedding_tasks t WHERE t.article_id = g.article_id AND t.space_id = g.space_id
                        AND t.created_at = g.created_at) AS is_present,
           EXISTS (SELECT 1 FROM embedding_tasks t WHERE t.id = g.id) AS id_is_taken
    FROM given g WHERE g.article_id IS NOT NULL AND g.space_id IS NOT NULL
), added AS (
    INSERT INTO embedding_tasks (
        id, article_id, slug, space_id, status, priority, attempts, max_attempts, created_at, scheduled_at,
        processed_at, completed_at, source_version, content_hash, outcome, error_class, error_message, metadata)
    SELECT CASE WHEN id_is_taken THEN nextval(pg_get_serial_sequence('embedding_tasks', 'id')) ELSE id END,
        article_id, slug, space_id, CASE status WHEN 'processing' THEN 'pending' ELSE status END, priority,
        CASE status WHEN 'processing' THEN GREATEST(attempts - 1, 0) ELSE attempts END, max_attempts, created_at,
        scheduled_at, processed_at, completed_at, source_version, content_hash, outcome, error_class, error_message,
        metadata
    FROM fit WHERE NOT is_present
    ON CONFLICT (article_id, space_id) WHERE status = 'pending' DO NOTHING
    RETURNING 1
)
SELECT (SELECT count(*) FROM given), (SELECT count(*) FROM added), (SELECT count(*) FROM fit WHERE is_present),
       (SELECT count(*) FROM given WHERE article_id IS NULL),
       (SELECT count(*) FROM given WHERE article_id IS NOT NULL AND space_id IS NULL)
"""
# Ids from the file must not meet those that the sequence will give.
_MOVE_SEQUENCE = """
SELECT setval(sequence, GREATEST(%s, (SELECT max(id) FROM embedding_tasks), nextval(sequence)))
FROM pg_get_serial_sequence('embedding_tasks', 'id') AS sequence
"""


class FileRefused(ValueError):
    """Why a file is not taken, in a sentence; nothing of it was written."""


class _Head(BaseModel):
    format: str
    version: int
    exported_at: datetime


class _Line(BaseModel):
    """One task, with each of its columns."""

    model_config = ConfigDict(extra="forbid")
    id: int = Field(gt=0, lt=2**63)
    article: str
    space: str
    slug: str
    status: Literal["pending", "processing", "completed", "failed", "cancelled"]
    priority: Literal["low", "normal", "high"]
    attempts: int = Field(ge=0, lt=2**31)
    max_attempts: int = Field(ge=0, lt=2**31)
    created_at: datetime
    scheduled_at: datetime
    processed_at: datetime | None
    completed_at: datetime | None
    lease_expires_at: datetime | None
    claimed_by: str
    source_version: int | None
    content_hash: str | None
    outcome: str = Field(max_length=16)
    error_class: str = Field(max_length=32)
    error_message: str
    metadata: Any


class _Tail(BaseModel):
    model_config = ConfigDict(extra="forbid")
    tasks: int
    sha256: str


@dataclass(frozen=True)
class Verified:
    """What a file holds that may be imported. `size` is in bytes."""

    tasks: int
    highest_id: int
    exported_at: datetime
    sha256: str
    size: int


@dataclass(frozen=True)
class Imported:
    """What came of the tasks `read`: `added`, `present` before, or left out because another task of their article waits
    already (`waiting`), or because there is no such article or space here."""

    read: int = 0
    added: int = 0
    present: int = 0
    waiting: int = 0
    without_article: int = 0
    without_space: int = 0

    @property
    def left_out(self) -> int:
        return self.waiting + self.without_article + self.without_space

    def __add__(self, other: "Imported") -> "Imported":
        return Imported(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass
class Export:
    """Iterated, the lines of the file; afterwards, how many tasks they held and their checksum."""

    tasks: int = 0
    sha256: str = field(default="", init=False)

    def __iter__(self) -> Iterator[bytes]:
        """Page after page by id: neither a transaction nor a cursor stays open however slow the reader is. Tasks that
        change meanwhile are told as they are when their page is read."""
        digest = hashlib.sha256()
        for line in self._lines():
            digest.update(line)
            yield line
        self.sha256 = digest.hexdigest()
        yield _as_line({"tasks": self.tasks, "sha256": self.sha256})

    def _lines(self) -> Iterator[bytes]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT statement_timestamp()")
            now = cursor.fetchone()[0].isoformat()
        yield _as_line({"format": FORMAT, "version": VERSION, "exported_at": now})
        last = 0
        while page := _page(last):
            for last, text in page:  # noqa: B007  the last id of the page is where the next one begins
                self.tasks += 1
                yield text.encode() + b"\n"


def verify(file: IO[bytes]) -> Verified:
    """Reads the whole of a file that can be read again, and leaves it at its beginning. Raises FileRefused."""
    digest = hashlib.sha256()
    first = _next_line(file)
    head = _head(first)
    digest.update(first)
    count, highest = 0, 0
    while line := _next_line(file):
        if line.startswith(b'{"tasks"'):
            return _ended(file, _tail(line), count, highest, head, digest.hexdigest())
        digest.update(line)
        count += 1
        highest = max(highest, _task(line, count + 1).id)
    raise FileRefused("the file is cut off: its last line, with the checksum, is missing")


def load(file: IO[bytes], verified: Verified) -> Iterator[Imported]:
    """Imports a verified file, a batch a step; each commits by itself, and the file can be imported again to go on."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVE_SEQUENCE, [verified.highest_id])
    file.seek(0)
    file.readline()
    lines = (file.readline() for _ in range(verified.tasks))
    for batch in batched(lines, _PAGE):
        yield _load(b"[" + b",".join(batch) + b"]")


def note(imported: Imported, verified: Verified, *, actor: str, reason: str) -> Any:
    """Writes the import down and rings for what it added; answers the operation's id."""
    with transaction.atomic():
        if imported.added:
            tasks_ready.send(Task)
        scope = {"verb": "import", "sha256": verified.sha256, **vars(imported)}
        return AuditLog.write_operation("tasks imported", actor=actor, reason=reason, scope=scope)


def _page(after: int) -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_PAGE_OF_TASKS, [after, _PAGE])
        rows: list[tuple[int, str]] = cursor.fetchall()
        return rows


def _load(tasks: bytes) -> Imported:
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, {"tasks": tasks.decode()})
        read, added, present, without_article, without_space = cursor.fetchone()
    waiting = read - added - present - without_article - without_space
    return Imported(read, added, present, waiting, without_article, without_space)


def _as_line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _next_line(file: IO[bytes]) -> bytes:
    line = file.readline(_MAX_LINE)
    if line and not line.endswith(b"\n"):
        raise FileRefused("the file is cut off, or is no file of tasks: a line has no end")
    return line


def _head(line: bytes) -> _Head:
    try:
        head = _Head.model_validate_json(line)
    except ValidationError as error:
        raise FileRefused("the first line does not say that this is a file of tasks") from error
    if head.format != FORMAT:
        raise FileRefused(f"the file is of the format {head.format!r}, not {FORMAT!r}")
    if head.version != VERSION:
        raise FileRefused(f"the file is of version {head.version}; this Vectorpress reads version {VERSION}")
    return head


def _task(line: bytes, number: int) -> _Line:
    try:
        return _Line.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the line"
        raise FileRefused(f"line {number} holds no task: {where}: {first['msg']}") from error


def _tail(line: bytes) -> _Tail:
    try:
        return _Tail.model_validate_json(line)
    except ValidationError as error:
        raise FileRefused("the last line does not hold the count of tasks and the checksum") from error


def _ended(file: IO[bytes], tail: _Tail, count: int, highest: int, head: _Head, sha256: str) -> Verified:
    if file.read(1):
        raise FileRefused("the file goes on after its last line")
    if (tail.tasks, tail.sha256) != (count, sha256):
        raise FileRefused("the file was changed since it was exported: its checksum does not match")
    size = file.tell()
    file.seek(0)
    return Verified(count, highest, head.exported_at, sha256, size)
