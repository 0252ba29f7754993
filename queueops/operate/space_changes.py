"""Changes the serving space while people search and save: a new space beside it, cut-over, rollback, retirement.

The rows are the state: each change compares and sets them, and writes its audit rows, in one transaction.
"""

import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Max
from django.db.models.functions import Now

from embeddings import recipes
from embeddings.model_catalogue import spec_of
from embeddings.models import Space, SpaceState
from embeddings.providers.errors import ProviderError
from embeddings.providers.registry import provider_of
from embeddings.recipes import Choices
from embeddings.search import serving
from embeddings.storage import ann_index, coverage
from lib import database_connection
from lib.manage_command import manage
from queueops.maintenance import reaper
from queueops.models import AuditLog, Task
from queueops.models.audit import needed_reason
from queueops.operate.space_states import ChangeRefused, SpaceChange, after

_PROBE = ("A probe of the embedding model.", "Ein zweiter, längerer Satz, um die Reihenfolge zu prüfen.")
_PROBE_SECONDS = 20.0
# A batch and single texts differ by rounding; another order, or another text, by far more.
_SAME_COSINE = 0.98
_CLEAR_BATCH = 2_000

# An edit that waits for a space ranks as an edit once the space serves.
_RAISE_EDITS = """
UPDATE embedding_tasks SET priority = 'normal'
WHERE space_id = %s AND status = 'pending' AND priority = 'low' AND metadata->>'reason' = 'edit'
"""
_CLEAR_VECTORS = """
DELETE FROM article_embeddings WHERE id IN (SELECT id FROM article_embeddings WHERE space_id = %s LIMIT %s)
"""
_CLEAR_KEPT = (
    "DELETE FROM kept_vectors WHERE id IN (SELECT id FROM kept_vectors WHERE space_id = %s LIMIT %s)"
)


def described(
    provider: str, model: str, dimensions: int, *, query_prefix: str | None, document_prefix: str | None
) -> Space:
    """A space as it would be created, with its recipe. Raises ImproperlyConfigured for an unknown model without a
    width."""
    spec = spec_of(model, dimensions)
    settings = recipes.of_settings()
    choices = Choices(model, query_prefix, document_prefix, settings.fields, settings.query_fields)
    space = Space(provider=provider, model=model, dimensions=spec.dimensions, chunk_tokens=spec.chunk_tokens)
    recipe = recipes.make(provider, model, spec.dimensions, spec.chunk_tokens, space.chunk_overlap, choices)
    space.recipe, space.fingerprint = recipe.as_json(), recipe.fingerprint
    space.version = (Space.objects.aggregate(newest=Max("version"))["newest"] or 0) + 1
    return space


def refuse_new(space: Space) -> None:
    """Raises ChangeRefused if another change is under way, or a living space has this recipe already."""
    for other in Space.objects.receiving():
        if other.is_built:
            raise ChangeRefused(
                f"space {other.pk} ({other}) is being built: cut over to it, or cancel it, first"
            )
        if other.state == SpaceState.STANDBY:
            raise ChangeRefused(
                f"space {other.pk} ({other}) is on standby: roll back to it, or retire it, first"
            )
        if other.fingerprint == space.fingerprint:
            raise ChangeRefused(f"space {other.pk} ({other}) has the same recipe: there is nothing to change")
    if not recipes.fits(space):
        raise ChangeRefused(f"this process would make other vectors: {recipes.conflict(space)}")


def probe(space: Space) -> None:
    """Asks the provider for two texts, together and one by one. Raises ChangeRefused unless it gives vectors of the
    width, in the order of the texts."""
    database_connection.release()
    provider = provider_of(space)
    try:
        together = provider.embed(list(_PROBE), _PROBE_SECONDS)
        alone = np.vstack([provider.embed([text], _PROBE_SECONDS) for text in _PROBE])
    except ProviderError as error:
        raise ChangeRefused(f"{space} does not embed a text: {error}") from error
    lengths = np.linalg.norm(together, axis=1) * np.linalg.norm(alone, axis=1)
    cosines = (together * alone).sum(axis=1) / lengths
    if cosines.min() < _SAME_COSINE:
        raise ChangeRefused(
            f"{space} gives another vector for a text in a batch than alone (cosine {cosines.min():.3f}): its order is "
            "not that of the texts"
        )


@transaction.atomic
def create(space: Space, *, actor: str, reason: str) -> uuid.UUID:
    """Inserts the space as `building`: every save from this commit on is embedded in it as well; no old text is."""
    list(Space.objects.select_for_update().order_by("pk"))
    refuse_new(space)
    space.state = SpaceState.BUILDING
    space.save()
    return _audit(
        "create", {"space": space.pk, "recipe": space.recipe}, f"space {space} created", actor, reason
    )


@dataclass(frozen=True)
class Gate:
    """What speaks against a cut-over: `missing` articles have no vectors of their current text in the space; `problems`
    are sentences."""

    missing: int
    problems: tuple[str, ...]


def gate(space: Space, allowed_missing: int) -> Gate:
    """Reads the gate of a cut-over or rollback to a space; asks its provider for a vector."""
    missing = coverage.behind(space).count()
    problems = []
    if missing > allowed_missing:
        problems.append(
            f"{missing:,} articles have no vectors of their current text in it: run {manage('embed_migrate run')} and "
            "wait until they are embedded, or accept them with --allow-missing"
        )
    if ann_index.is_wanted(space):
        problems.append(
            f"its approximate index is not built: run {manage(f'spaces index --space {space.pk}')}"
        )
    if not recipes.fits(space):
        problems.append(recipes.refusal(space).rstrip("."))
    try:
        probe(space)
    except ChangeRefused as error:
        problems.append(str(error))
    return Gate(missing, tuple(problems))


@transaction.atomic
def change(kind: SpaceChange, target: int, *, actor: str, reason: str, **more: Any) -> uuid.UUID:
    """Sets the states of a change, with its audit row. Raises ChangeRefused if they are not as the change needs them by
    now. Searches of this process use the new serving space from the commit on, all others within a second."""
    locked = {space.pk: space for space in Space.objects.select_for_update().order_by("pk")}
    changed = after(kind, {pk: space.state for pk, space in locked.items()}, target)
    for pk, state in changed.items():
        fields: dict[str, Any] = {"state": state}
        if state == SpaceState.SERVING:
            fields["served_at"] = Now()
        elif state == SpaceState.RETIRED:
            fields["retired_at"] = Now()
        Space.objects.filter(pk=pk).update(**fields)
    serving.forget()
    transaction.on_commit(serving.forget)  # another thread may have asked in between
    if changed.get(target) == SpaceState.SERVING:
        with connection.cursor() as cursor:
            cursor.execute(_RAISE_EDITS, [target])
    steps = {str(pk): f"{locked[pk].state} to {state}" for pk, state in changed.items()}
    scope = {"space": target, "states": steps, **more}
    return _audit(kind, scope, f"{kind}: space {locked[target]}", actor, reason)


def _audit(verb: str, scope: dict[str, Any], message: str, actor: str, reason: str) -> uuid.UUID:
    scope = {"verb": "spaces", "change": verb, **scope}
    return AuditLog.write_operation(message, actor=actor, reason=needed_reason(reason), scope=scope)


@dataclass(frozen=True)
class Left:
    """What a retired space still has: rows with vectors, tasks that wait or are in work, its index."""

    rows: int
    tasks: int
    index: bool

    @property
    def is_nothing(self) -> bool:
        return not (self.rows or self.tasks or self.index)


def clear(space: Space) -> Left:
    """Removes the index, vectors and waiting tasks of a retired space, in short transactions; may be interrupted and
    called again. Returns what is left, read from the rows: a task in work ends with its claim."""
    if Space.objects.get(pk=space.pk).state != SpaceState.RETIRED:
        raise ChangeRefused(f"space {space.pk} is not retired")
    ann_index.drop(space)
    while reaper.end_retired():
        pass
    for statement in (_CLEAR_VECTORS, _CLEAR_KEPT):
        while _executed(statement, space) == _CLEAR_BATCH:
            pass
    rows = space.embeddings.count()
    tasks = Task.objects.live().filter(space=space).count()
    return Left(rows, tasks, ann_index.stands(space))


def _executed(statement: str, space: Space) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [space.pk, _CLEAR_BATCH])
        return int(cursor.rowcount)


def audit_index(space: Space, *, actor: str, reason: str) -> uuid.UUID:
    """Writes down that the index of a space was built on request."""
    return _audit("index", {"space": space.pk}, f"index of space {space} built", actor, reason)
