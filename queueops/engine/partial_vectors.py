"""Keeps the vectors of articles that are not complete yet, under their claim's token, so that no provider time is paid
for twice, however the batch ends."""

import time
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import structlog
from django.db import DatabaseError, InterfaceError, connection, transaction

from embeddings.indexing.render import Rendered
from embeddings.models import Space
from embeddings.storage.vectors import WireVector
from lib import database_connection, sql_arrays
from queueops.base import database_refusals, shutdown
from queueops.base.database_refusals import Blame, Refusal
from queueops.engine import storage_probe
from queueops.engine.claims import Claimed
from queueops.engine.unsaved_vectors import unsaved

# At most this much provider time is lost with the process, besides the requests in flight.
KEEP_SECONDS = 1.0
# A batch that still sends requests after this time ends its turn: the next one may have short articles.
TURN_SECONDS = 30.0
# The longest wait for another session's lock on an article.
_LOCK_MILLISECONDS = "2000"

log = structlog.get_logger(__name__)

# The token fences: a worker that lost a task keeps nothing of it; so does the recipe, if the space got another one.
_KEEP = """
INSERT INTO kept_vectors (article_id, space_id, text_hash, embedding, chunks_to_embed, kept_at)
SELECT t.article_id, t.space_id, k.text_hash, k.embedding, k.chunks, statement_timestamp()
FROM unnest(%s::bigint[], %s::bytea[], %s::bytea[], %s::int[]) AS k (task_id, text_hash, embedding, chunks)
     JOIN embedding_tasks t ON t.id = k.task_id JOIN embedding_spaces s ON s.id = t.space_id,
     (SELECT set_config('lock_timeout', %s, true)) AS bounded
WHERE t.claim_token = %s AND t.status = 'processing' AND s.fingerprint = %s
ON CONFLICT DO NOTHING
"""
_SWEEP = """
DELETE FROM kept_vectors k USING (SELECT DISTINCT article_id, space_id FROM kept_vectors) AS held
WHERE k.article_id = held.article_id AND k.space_id = held.space_id
  AND NOT EXISTS (SELECT FROM embedding_tasks t WHERE t.article_id = held.article_id
                  AND t.space_id = held.space_id AND t.status IN ('pending', 'processing'))
"""


class PartialVectors:
    """The vectors that a batch keeps. `stored` and `kept` are the hashes of texts that have vectors, permanently or
    until their article is complete; `progressed` are the ids of articles with vectors kept by this batch, and `refused`
    has the refusal of each article whose vectors alone the database does not accept."""

    def __init__(
        self,
        space: Space,
        token: UUID,
        rendered: Sequence[tuple[Claimed, Rendered]],
        stored: Iterable[bytes],
        kept: Iterable[bytes],
    ) -> None:
        self.progressed: set[int] = set()
        self.refused: dict[int, Refusal] = {}
        self._space = space
        self._token = token
        self._rendered = rendered
        self._stored = frozenset(stored)
        self._safe = self._stored.union(kept)
        self._owners: dict[bytes, tuple[Claimed, int]] = {}
        self._kept_at = time.monotonic()
        self._ends = self._kept_at + TURN_SECONDS

    def between(self, made: Mapping[bytes, WireVector]) -> bool:
        """Keeps the new vectors at most once per KEEP_SECONDS; returns whether the batch may continue: not while the
        database refuses what would be paid for."""
        now = time.monotonic()
        if now - self._kept_at >= KEEP_SECONDS:
            self.keep(made)
        if storage_probe.brake.is_on or self.refused:
            return False
        return now < self._ends and not shutdown.is_requested()

    def keep(self, made: Mapping[bytes, WireVector], complete: Iterable[bytes] = ()) -> None:
        """Writes vectors that are neither stored nor kept, except `complete`: those of articles about to be stored. If
        the database refuses them, the turn ends, and the process claims nothing more."""
        unsafe = made.keys() - self._safe - set(complete)
        if unsafe:
            try:
                self._write_by_article({text_hash: made[text_hash] for text_hash in unsafe})
            except (DatabaseError, InterfaceError) as error:
                log.warning("vectors not kept", reason=str(storage_probe.noted(error)))
            finally:
                database_connection.release()
        self._kept_at = time.monotonic()

    def finish(self, made: Mapping[bytes, WireVector], complete: Iterable[bytes]) -> frozenset[bytes]:
        """Keeps the rest at the end of the batch, in this process what the database refuses; returns the hashes that
        the database has."""
        complete = set(complete)
        self.keep(made, complete)
        left = made.keys() - self._safe - complete
        unsaved.keep(self._space.pk, {text_hash: made[text_hash] for text_hash in left})
        return self._safe

    def _write_by_article(self, made: Mapping[bytes, WireVector]) -> None:
        """As _write; if rows may be at fault, one article after the other. Raises DatabaseError if the database is."""
        try:
            self._write(made)
            return
        except DatabaseError as error:
            if database_refusals.of(error).blame is not Blame.ROWS or self._takes_no_row():
                raise
        for article_id in {self._owner(text_hash).source.article_id for text_hash in made}:
            own = {h: made[h] for h in made if self._owner(h).source.article_id == article_id}
            try:
                self._write(own)
            except DatabaseError as error:
                refusal = database_refusals.of(error)
                if refusal.blame is not Blame.ROWS:
                    raise
                self.refused[article_id] = refusal

    def _takes_no_row(self) -> bool:
        """Whether the database refuses a row of another article as well."""
        ours = [task.source.article_id for task, _ in self._rendered]
        return storage_probe.refusal_of_a_row(self._space, ours) is not None

    def _write(self, made: Mapping[bytes, WireVector]) -> None:
        held = [self._owned_by(text_hash) for text_hash in made]
        with database_refusals.named("kept_vectors"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                _KEEP,
                [
                    sql_arrays.of_integers(task.task_id for task, _ in held),
                    sql_arrays.of_bytes(made),
                    sql_arrays.of_bytes(made.values()),
                    sql_arrays.of_integers(chunks for _, chunks in held),
                    _LOCK_MILLISECONDS,
                    self._token,
                    self._space.fingerprint,
                ],
            )
        self._safe = self._safe.union(made)
        self.progressed |= {task.source.article_id for task, _ in held}

    def _owner(self, text_hash: bytes) -> Claimed:
        return self._owned_by(text_hash)[0]

    def _owned_by(self, text_hash: bytes) -> tuple[Claimed, int]:
        """Pieces of a chunk that was too long are counted for the article that lacks most."""
        owners = self._owned()
        return owners[text_hash] if text_hash in owners else max(owners.values(), key=lambda owner: owner[1])

    def _owned(self) -> dict[bytes, tuple[Claimed, int]]:
        """Per text hash without a stored vector: a task that needs it, and how many such texts its article has."""
        if not self._owners:
            for task, rendered in self._rendered:
                lacking = set(rendered.hashes) - self._stored
                self._owners |= dict.fromkeys(lacking, (task, len(lacking)))
        return self._owners


def sweep() -> int:
    """Removes vectors that no task needs any more; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_SWEEP)
        return int(cursor.rowcount)
