"""Tasks as a file of JSON lines, and back: complete, checksummed, versioned, and taken whole or not at all.

The first line says what the file is, each further one holds a task, and the last counts them and has the SHA-256 of all
bytes before it. Tasks name their article by its slug and their space by its name, so that they find them again in
another database. A task is known by article, space and time of creation: importing a file twice adds nothing. Its id
is kept where that leaves the ids to come room enough.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from typing import IO, Any

from django.db import DataError, connection, transaction

from embeddings.models import SPACE_NAME_SQL
from queueops.base.signals import tasks_ready
from queueops.models import AuditLog, Task
from queueops.monitoring.open_failures import IS_OPEN_SQL
from queueops.operate.transfer import file_format
from queueops.operate.transfer.file_format import FileRefused, Head, Tail

_PAGE = 1_000
# A file's ids may run so far ahead of ours, and no higher than the middle of what there is: no file uses up the ids.
_IDS_AHEAD, _HIGHEST_ID = 10**9, 2**62

_PAGE_OF_TASKS = f"""
SELECT t.id, (
    to_jsonb(t) - '{{article_id,space_id,priority_rank,claim_token,schedule_set_at,losses,is_alone}}'::text[]
    || jsonb_build_object('article', a.slug, 'space', {SPACE_NAME_SQL})
    || CASE WHEN t.status = 'failed' THEN jsonb_build_object('open', {IS_OPEN_SQL}) ELSE '{{}}' END)::text
FROM embedding_tasks t JOIN articles a ON a.id = t.article_id JOIN embedding_spaces s ON s.id = t.space_id
WHERE t.id > %s ORDER BY t.id LIMIT %s
"""  # noqa: S608  the only text put in is our own
# the columns as the database reads them from a line
_GIVEN = """jsonb_to_recordset(%(tasks)s) AS g (
        id bigint, article text, space text, slug text, status text, priority text, attempts int, max_attempts int,
        created_at timestamptz, scheduled_at timestamptz, processed_at timestamptz, completed_at timestamptz,
        claimed_by text, source_version int, content_hash uuid, outcome text, error_class text, error_message text,
        metadata jsonb)"""
_IS_READ = f"SELECT count(*) FROM {_GIVEN}"  # noqa: S608  the only text put in is our own
_FIT = f"""
WITH given AS (
    SELECT g.*, a.id AS article_id, s.id AS space_id
    FROM {_GIVEN}
    LEFT JOIN articles a ON a.slug = g.article
    LEFT JOIN embedding_spaces s ON {SPACE_NAME_SQL} = g.space
), fit AS (
    SELECT g.*, EXISTS (SELECT 1 FROM embedding_tasks t WHERE t.article_id = g.article_id AND t.space_id = g.space_id
                        AND t.created_at = g.created_at) AS is_present,
           status IN ('pending', 'processing') AS waits
    FROM given g WHERE g.article_id IS NOT NULL AND g.space_id IS NOT NULL
), added AS ("""  # noqa: S608  the only text put in is our own
_COUNTED = """
)
SELECT (SELECT count(*) FROM given), (SELECT count(*) FROM added), (SELECT count(*) FROM fit WHERE is_present),
       (SELECT count(*) FROM given WHERE article_id IS NULL),
       (SELECT count(*) FROM given WHERE article_id IS NOT NULL AND space_id IS NULL)
"""
# No worker holds what comes from a file: such a task waits again, and the attempt that was under way is not charged.
# One made later than now was scheduled by a clock ahead of ours.
_INSERT = f"""{_FIT}
    INSERT INTO embedding_tasks (
        id, article_id, slug, space_id, status, priority, attempts, max_attempts, created_at, scheduled_at,
        schedule_set_at, processed_at, completed_at, claimed_by, source_version, content_hash, outcome, error_class,
        error_message, metadata)
    SELECT CASE WHEN id > %(ceiling)s OR EXISTS (SELECT 1 FROM embedding_tasks t WHERE t.id = fit.id)
                THEN nextval(pg_get_serial_sequence('embedding_tasks', 'id')) ELSE id END,
        article_id, slug, space_id, CASE status WHEN 'processing' THEN 'pending' ELSE status END, priority,
        CASE status WHEN 'processing' THEN GREATEST(attempts - 1, 0) ELSE attempts END, max_attempts, created_at,
        scheduled_at, GREATEST(created_at, statement_timestamp()), processed_at, completed_at,
        CASE WHEN waits THEN '' ELSE claimed_by END, source_version, content_hash, outcome, error_class, error_message,
        metadata
    FROM fit WHERE NOT is_present
    ON CONFLICT (article_id, space_id) WHERE status = 'pending' DO NOTHING
    RETURNING 1
{_COUNTED}"""  # noqa: S608  the only text put in is our own
# A trial remembers what would wait in a table of its own: no save waits for it, and no id is used up.
_TRIAL = """
CREATE TEMPORARY TABLE trial (article_id bigint, space_id bigint) ON COMMIT DROP;
CREATE UNIQUE INDEX trial_waiting ON trial (article_id, space_id);
"""
_TRY = f"""{_FIT}
    INSERT INTO trial (article_id, space_id)
    SELECT CASE WHEN waits THEN article_id END, space_id
    FROM fit WHERE NOT is_present AND NOT (waits AND EXISTS (
        SELECT 1 FROM embedding_tasks t
        WHERE t.article_id = fit.article_id AND t.space_id = fit.space_id AND t.status = 'pending'))
    ON CONFLICT (article_id, space_id) DO NOTHING
    RETURNING 1
{_COUNTED}"""  # noqa: S608  the only text put in is our own
_CEILING = """
SELECT LEAST(%s, %s + GREATEST(pg_sequence_last_value(pg_get_serial_sequence('embedding_tasks', 'id')::regclass),
                               (SELECT max(id) FROM embedding_tasks), 0))
"""
# Ids from the file must not meet those that the sequence will give.
_MOVE_SEQUENCE = """
SELECT setval(sequence, GREATEST(%s, (SELECT max(id) FROM embedding_tasks), nextval(sequence)))
FROM pg_get_serial_sequence('embedding_tasks', 'id') AS sequence
"""


@dataclass(frozen=True)
class Verified:
    """What a file holds that may be imported. Ids up to the `ceiling` are kept, and `highest_id` is the highest of
    those, 0 for none. `size` is in bytes."""

    tasks: int
    ceiling: int
    highest_id: int
    exported_at: datetime
    sha256: str
    size: int


@dataclass(frozen=True)
class Imported:
    """The outcome of the tasks `read`: `added`, `present` before, or left out because another task of their article is
    pending (`waiting`), or because the article or space does not exist here."""

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
        change meanwhile are exported as they are when their page is read."""
        digest = hashlib.sha256()
        for line in self._lines():
            digest.update(line)
            yield line
        self.sha256 = digest.hexdigest()
        yield file_format.as_line({"tasks": self.tasks, "sha256": self.sha256})

    def _lines(self) -> Iterator[bytes]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT statement_timestamp()")
            now = cursor.fetchone()[0].isoformat()
        yield file_format.as_line(
            {"format": file_format.FORMAT, "version": file_format.VERSION, "exported_at": now}
        )
        last = 0
        while page := _page(last):
            for last, text in page:  # noqa: B007  the last id of the page is where the next one begins
                self.tasks += 1
                yield text.encode() + b"\n"


def verify(file: IO[bytes]) -> Verified:
    """Reads the whole of a file that can be read again, and leaves it at its beginning. Raises FileRefused."""
    digest = hashlib.sha256()
    first = file_format.next_line(file)
    head = file_format.head(first)
    digest.update(first)
    reading = _Reading(_ceiling())
    while line := file_format.next_line(file):
        if line.startswith(b'{"tasks"'):
            reading.end()
            return _ended(file, file_format.tail(line), reading, head, digest.hexdigest())
        digest.update(line)
        reading.take(line)
    raise FileRefused("the file is cut off: its last line, with the checksum, is missing")


def load(file: IO[bytes], verified: Verified) -> Iterator[Imported]:
    """Imports a verified file, one batch per step; each commits by itself, and importing the file again continues."""
    if verified.highest_id:
        with connection.cursor() as cursor:
            cursor.execute(_MOVE_SEQUENCE, [verified.highest_id])
    for batch in _batches(file, verified):
        yield _counted(_INSERT, batch, verified.ceiling)


def rehearse(file: IO[bytes], verified: Verified) -> Iterator[Imported]:
    """What `load` would return, batch by batch, for the database as it is now; nothing is changed or locked."""
    with transaction.atomic():
        try:
            with connection.cursor() as cursor:
                cursor.execute(_TRIAL)
            for batch in _batches(file, verified):
                yield _counted(_TRY, batch, verified.ceiling)
        finally:
            transaction.set_rollback(True)


def note(imported: Imported, verified: Verified, *, actor: str, reason: str) -> Any:
    """Writes the import down and rings for what it added; returns the operation's id."""
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


def _ceiling() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_CEILING, [_HIGHEST_ID - 1, _IDS_AHEAD])
        return int(cursor.fetchone()[0])


def _batches(file: IO[bytes], verified: Verified) -> Iterator[list[bytes]]:
    file.seek(0)
    file.readline()
    lines = (file.readline() for _ in range(verified.tasks))
    yield from map(list, batched(lines, _PAGE))


def _as_list(lines: list[bytes]) -> str:
    return (b"[" + b",".join(lines) + b"]").decode()


def _counted(statement: str, lines: list[bytes], ceiling: int) -> Imported:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"tasks": _as_list(lines), "ceiling": ceiling})
        read, added, present, without_article, without_space = cursor.fetchone()
    waiting = read - added - present - without_article - without_space
    return Imported(read, added, present, waiting, without_article, without_space)


class _Reading:
    """The lines of tasks as they are read: each by itself, and a page at a time by the database, which has the last
    word on what it can store."""

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.tasks, self.highest_kept = 0, 0
        self._last_id = 0
        self._page: list[bytes] = []

    def take(self, line: bytes) -> None:
        """Raises FileRefused."""
        self.tasks += 1
        number = self.tasks + 1
        id = file_format.task(line, number).id
        if id <= self._last_id:
            raise FileRefused(
                f"line {number} holds no task: id: {id} comes after {self._last_id}, but ids ascend"
            )
        self._last_id = id
        if id <= self.ceiling:
            self.highest_kept = id
        self._page.append(line)
        if len(self._page) == _PAGE:
            self.end()

    def end(self) -> None:
        """Has the database read what it has not read yet. Raises FileRefused."""
        page, self._page = self._page, []
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(_IS_READ, {"tasks": _as_list(page)})
        except DataError as error:
            first, said = self.tasks + 2 - len(page), str(error).partition("\n")[0]
            raise FileRefused(
                f"the database cannot store a value of lines {first} to {self.tasks + 1}: {said}"
            ) from error


def _ended(file: IO[bytes], tail: Tail, reading: _Reading, head: Head, sha256: str) -> Verified:
    if file.read(1):
        raise FileRefused("the file continues after its last line")
    if (tail.tasks, tail.sha256) != (reading.tasks, sha256):
        raise FileRefused("the file was changed since it was exported: its checksum does not match")
    size = file.tell()
    file.seek(0)
    return Verified(reading.tasks, reading.ceiling, reading.highest_kept, head.exported_at, sha256, size)
