"""Adopts existing vectors after a re-embedded sample agrees with them: nothing is paid twice.

The vectors are in a column of some table, keyed by the article's id or slug, as pgvector's type or anything else whose
text is a list of numbers. The same text must give the same vector: another model, or a missing title, shows in the
sample.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import LiteralString, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
from django.db import connection, transaction
from django.db.models import BooleanField, F, Func
from psycopg import sql

from articles.models import ArticleQuerySet
from embeddings.indexing.embed import embed
from embeddings.indexing.render import Rendered, Source, render
from embeddings.indexing.store import store
from embeddings.models import Space
from embeddings.providers.base import Matrix
from embeddings.storage import vectors
from lib import database_connection, sql_arrays
from queueops.admission import rate_limiter
from queueops.models import AuditLog
from queueops.monitoring.article_filter import ArticleFilter

type Progress = Callable[[int], object]

SAMPLE = 20
AGREES_FROM = 0.999
_CANDIDATES_A_PLACE = 5  # of the sample: some texts have several chunks
_DEADLINE_SECONDS = 60.0
_BATCH = 200
_MOST_DOTS = 2  # in a table's name: its schema is parted from it by one
_KEYS = ("article_id", "id")
_NUMBERS = {"smallint", "integer", "bigint"}
_TEXTS = {"text", "character varying"}


class AdoptionError(Exception):
    """Why vectors cannot be taken over, in a sentence."""


@dataclass(frozen=True)
class Column:
    """The column of existing vectors: `key` has the article's id, or its slug if `by_slug`."""

    table: str
    column: str
    key: str
    by_slug: bool

    def __str__(self) -> str:
        return f"{self.table}.{self.column}:{self.key}"


@dataclass(frozen=True)
class Comparison:
    """The cosine of each vector of the sample with the one that the space's provider gives for the same text."""

    cosines: list[float] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return bool(self.cosines) and min(self.cosines) >= AGREES_FROM

    def __str__(self) -> str:
        ordered = sorted(self.cosines)
        below = sum(cosine < AGREES_FROM for cosine in ordered)
        return (
            f"of {len(ordered)} re-embedded vectors, {below} have a cosine below {AGREES_FROM}; least "
            f"{ordered[0]:.4f}, median {ordered[len(ordered) // 2]:.4f}"
        )


@dataclass(frozen=True)
class Adopted:
    """`adopted` articles have their vectors now. Left to the queue are those that have not one chunk but `several`,
    those whose vector is `unusable` (another width, zeros, no numbers, or more than one for an article), and those
    that `changed` meanwhile."""

    adopted: int = 0
    several: int = 0
    unusable: int = 0
    changed: int = 0

    @property
    def total(self) -> int:
        return self.adopted + self.several + self.unusable + self.changed

    def __add__(self, other: "Adopted") -> "Adopted":
        return Adopted(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


class _Existing(NamedTuple):
    """An article as a worker would embed it, and the vector that it has; None where it is not usable."""

    rendered: Rendered
    vector: npt.NDArray[np.float32] | None


def column_of(name: str) -> Column:
    """The column that `[SCHEMA.]TABLE.COLUMN[:KEY]` names. KEY is article_id or id where it is not given.

    Raises AdoptionError for one that is not there.
    """
    path, _, key = name.partition(":")
    table, _, column = path.rpartition(".")
    types = _types(table) if table and table.count(".") < _MOST_DOTS else {}
    if column not in types:
        raise AdoptionError(f"there is no column {path!r}; name it as TABLE.COLUMN or TABLE.COLUMN:KEY")
    found = key or next((each for each in _KEYS if each in types), "")
    if types.get(found) not in _NUMBERS | _TEXTS:
        raise AdoptionError(
            f"the table {table!r} has no column {found or ' or '.join(_KEYS)!r} with articles' ids or slugs; "
            f"name it as {path}:KEY"
        )
    return Column(table, column, found, by_slug=types[found] in _TEXTS)


def compare(space: Space, where: Column, scope: ArticleFilter, sample: int = SAMPLE) -> Comparison:
    """Re-embeds a random sample of articles and compares; nothing is written.

    Raises AdoptionError if a vector is not as wide as the space's, or if the provider does not respond.
    """
    ids = _with_vectors(space, where, scope).order_by("?").values_list("pk", flat=True)
    found = _existing(space, where, list(ids[: sample * _CANDIDATES_A_PLACE]), any_width=True)
    chosen = [each for each in found if len(each.rendered.chunks) == 1][:sample]
    for rendered, vector in chosen:
        if vector is None or len(vector) != space.dimensions:
            width = "not usable (no numbers, only zeros, or one of several)"
            if vector is not None:
                width = f"{len(vector):,} numbers wide"
            raise AdoptionError(
                f"{where} cannot be taken over: the vector of article {rendered.source.article_id} is {width}; those "
                f"of {space} are {space.dimensions:,} wide"
            )
    fresh = _embedded(space, [each.rendered for each in chosen]) if chosen else []
    pairs = zip((each.vector for each in chosen), fresh, strict=True)
    return Comparison([_cosine(theirs, ours) for theirs, ours in pairs if theirs is not None])


def adopt(
    space: Space,
    where: Column,
    scope: ArticleFilter,
    *,
    actor: str,
    reason: str,
    progress: Progress = lambda _: None,
) -> Adopted:
    """Adopts the vectors; compare first. `progress` gets the number of articles per batch.

    Each batch is a transaction: a killed run is started again and continues with the missing articles. Adopted vectors
    are in the audit log even if the run is interrupted.
    """
    done = Adopted()
    try:
        for batch in _batches(space, where, scope):
            done += batch
            progress(batch.total)
    finally:
        told = {"verb": "adopt", "from": str(where), "space": space.pk, **scope.as_json(), **vars(done)}
        AuditLog.write_operation("vectors adopted", actor=actor, reason=reason, scope=told)
    return done


def _batches(space: Space, where: Column, scope: ArticleFilter) -> Iterator[Adopted]:
    wanted = _with_vectors(space, where, scope).order_by("pk").values_list("pk", flat=True)
    after = 0
    while ids := list(wanted.filter(pk__gt=after)[:_BATCH]):
        after = ids[-1]
        yield _adopt(space, _existing(space, where, ids))


def count(space: Space, where: Column, scope: ArticleFilter) -> int:
    """How many articles that are not up to date in the space have a vector there."""
    return _with_vectors(space, where, scope).count()


_TYPES = """
SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""
_HAS_VECTOR_AT = "EXISTS (SELECT FROM {table} v WHERE v.{column} IS NOT NULL AND v.{key} = "
# the columns of indexing.Source, and the vector
_READ = """
SELECT a.id, a.version_number, a.content_hash, a.title, a.content, v.{column}::text
FROM articles a JOIN {table} v ON v.{key} = a.{by}
WHERE a.id = ANY(%s::bigint[]) AND v.{column} IS NOT NULL ORDER BY a.id
"""
_UNCHANGED = """
SELECT a.id FROM articles a JOIN unnest(%s::bigint[], %s::uuid[]) AS read (id, content_hash) USING (id, content_hash)
ORDER BY a.id FOR NO KEY UPDATE OF a SKIP LOCKED
"""


def _types(table: str) -> dict[str, str]:
    """The table's columns with their types; empty if the table does not exist."""
    with connection.cursor() as cursor:
        cursor.execute(_TYPES, [sql.Identifier(*table.split(".")).as_string(None)])
        return dict(cursor.fetchall())


def _naming(statement: LiteralString, where: Column) -> str:
    """The statement with the names in their places, quoted; to be executed with arguments."""
    names = {"column": where.column, "key": where.key, "by": "slug" if where.by_slug else "id"}
    quoted = {name: sql.Identifier(_escaped(value)) for name, value in names.items()}
    table = sql.Identifier(*_escaped(where.table).split("."))
    return sql.SQL(statement).format(table=table, **quoted).as_string(None)


def _escaped(name: str) -> str:
    return name.replace("%", "%%")  # else the driver would look for an argument


def _with_vectors(space: Space, where: Column, scope: ArticleFilter) -> ArticleQuerySet:
    template = f"{_escaped(_naming(_HAS_VECTOR_AT, where))}%(expressions)s)"
    key = F("slug" if where.by_slug else "id")
    has_vector = Func(key, template=template, output_field=BooleanField())
    found: ArticleQuerySet = scope.behind_in(space).filter(has_vector)
    return found


def _existing(space: Space, where: Column, ids: Sequence[int], *, any_width: bool = False) -> list[_Existing]:
    with connection.cursor() as cursor:
        cursor.execute(_naming(_READ, where), [sql_arrays.of_integers(ids)])
        rows = cursor.fetchall()
    often = Counter(row[0] for row in rows)
    width = None if any_width else space.dimensions
    return [
        _Existing(render(space, Source(*source)), _parsed(text, width) if often[source[0]] == 1 else None)
        for *source, text in {row[0]: row for row in rows}.values()
    ]


def _parsed(text: str, width: int | None) -> npt.NDArray[np.float32] | None:
    """The numbers of "[0.5,-1]" or "{0.5,-1}"; None for anything else, for another width, and for what has no
    direction."""
    try:
        numbers = np.array(orjson.loads(f"[{text.strip('[]{} ')}]"), dtype=np.float32)
    except (ValueError, TypeError):
        return None
    if numbers.ndim != 1 or (width is not None and len(numbers) != width):
        return None
    return numbers if np.isfinite(numbers).all() and numbers.any() else None


def _embedded(space: Space, articles: Sequence[Rendered]) -> list[Matrix]:
    """The vectors of articles of one chunk, from the space's provider. Raises AdoptionError."""
    database_connection.release()
    made = embed(space, articles, {}, _DEADLINE_SECONDS, rate_limiter.meter(space.provider))
    error = made.failure or next(iter(made.errors.values()), None)
    if error or made.instead:
        raise AdoptionError(
            f"the sample could not be embedded by {space}: {error or 'a text was too long for it'}"
        )
    return [vectors.from_wire(made.by_hash[article.hashes[0]]) for article in articles]


def _cosine(a: Matrix, b: Matrix) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


@transaction.atomic
def _adopt(space: Space, found: Sequence[_Existing]) -> Adopted:
    """Writes the vectors of those that have one chunk and are still as they were read."""
    single = [each for each in found if len(each.rendered.chunks) == 1]
    usable = {each.rendered.source.article_id: each for each in single if each.vector is not None}
    unchanged = [usable[article_id] for article_id in _locked(usable)]
    if unchanged:
        wires = vectors.to_wire(np.stack([each.vector for each in unchanged if each.vector is not None]))
        hashes = (each.rendered.hashes[0] for each in unchanged)
        store(space, [each.rendered for each in unchanged], dict(zip(hashes, wires, strict=True)))
    return Adopted(
        adopted=len(unchanged),
        several=len(found) - len(single),
        unusable=len(single) - len(usable),
        changed=len(usable) - len(unchanged),
    )


def _locked(usable: dict[int, _Existing]) -> list[int]:
    """Those whose text is what was read, locked against a save or a settle until the transaction ends."""
    hashes = [each.rendered.source.content_hash for each in usable.values()]
    with connection.cursor() as cursor:
        cursor.execute(_UNCHANGED, [list(usable), hashes])
        return [article_id for (article_id,) in cursor.fetchall()]
