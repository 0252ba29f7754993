"""The first space of an installation."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from embeddings import recipes
from embeddings.model_catalogue import spec_of
from embeddings.models import KeptVector, Space, SpaceState
from embeddings.storage import ann_index


def ensure_first(**_: Any) -> None:
    """Creates the space of the settings if there is none; it serves at once, since there is nothing to build.

    While it has no vectors, changing the settings replaces it; afterwards the rows, not the settings, decide which
    space serves.
    """
    spec = spec_of(settings.EMBEDDING_MODEL, settings.EMBEDDING_DIMENSIONS)
    wanted = (settings.EMBEDDING_PROVIDER, settings.EMBEDDING_MODEL, spec.dimensions)
    with transaction.atomic():
        spaces = list(Space.objects.select_for_update().order_by("id")[:2])
        if len(spaces) == 1 and not spaces[0].embeddings.exists():
            is_named = (spaces[0].provider, spaces[0].model, spaces[0].dimensions) == wanted
            if not is_named or not recipes.fits(spaces[0]):
                _fit(spaces[0], *wanted, spec.chunk_tokens)
        elif not spaces:
            first = Space(
                version=1,
                provider=wanted[0],
                model=wanted[1],
                dimensions=wanted[2],
                chunk_tokens=spec.chunk_tokens,
                state=SpaceState.SERVING,
                served_at=Now(),
            )
            first.take_own_recipe()
            Space.objects.bulk_create([first], ignore_conflicts=True)  # two processes may start at once
        for space in Space.objects.filter(fingerprint=""):  # made with plain SQL
            space.take_own_recipe()
            space.save(update_fields=["recipe", "fingerprint"])


def accept_recipe(space: Space) -> bool:
    """Gives a space the recipe of this process, though its vectors are of another: they must all be made again. Returns
    whether it had another one."""
    with transaction.atomic():
        locked = Space.objects.select_for_update().get(pk=space.pk)
        if recipes.fits(locked):
            return False
        KeptVector.objects.filter(space=locked).delete()
        locked.take_own_recipe()
        locked.save(update_fields=["recipe", "fingerprint"])
    return True


def _fit(space: Space, provider: str, model: str, dimensions: int, chunk_tokens: int) -> None:
    """Replaces the model of an empty space."""
    ann_index.drop_of_empty(space)  # it accepts vectors of the old width only
    space.provider, space.model, space.dimensions, space.chunk_tokens = (
        provider,
        model,
        dimensions,
        chunk_tokens,
    )
    KeptVector.objects.filter(space=space).delete()
    space.take_own_recipe()
    space.save(update_fields=["provider", "model", "dimensions", "chunk_tokens", "recipe", "fingerprint"])
