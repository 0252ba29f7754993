"""The first space of an installation, and a space's model and token counter."""

import functools
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from embeddings.model_catalogue import ModelSpec, spec_of
from embeddings.models import Space, SpaceState
from embeddings.storage import ann_index
from embeddings.text.tokens import TokenCounter, counter_for


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
            is_wanted = (spaces[0].provider, spaces[0].model, spaces[0].dimensions) == wanted
            if not is_wanted:
                _fit(spaces[0], *wanted, spec.chunk_tokens)
        elif not spaces:
            Space.objects.bulk_create(
                [
                    Space(
                        version=1,
                        provider=wanted[0],
                        model=wanted[1],
                        dimensions=wanted[2],
                        chunk_tokens=spec.chunk_tokens,
                        state=SpaceState.SERVING,
                        served_at=Now(),
                    )
                ],
                ignore_conflicts=True,  # two processes may start at once
            )


def _fit(space: Space, provider: str, model: str, dimensions: int, chunk_tokens: int) -> None:
    """Replaces the model of an empty space."""
    ann_index.drop_of_empty(space)  # it accepts vectors of the old width only
    space.provider, space.model, space.dimensions, space.chunk_tokens = (
        provider,
        model,
        dimensions,
        chunk_tokens,
    )
    space.save(update_fields=["provider", "model", "dimensions", "chunk_tokens"])


def known_model(model: str, dimensions: int) -> tuple[ModelSpec, TokenCounter]:
    """A model's spec and its token counter. The prefixes of the settings are those of the model of the settings."""
    own = settings.EMBEDDING_QUERY_PREFIX, settings.EMBEDDING_DOCUMENT_PREFIX
    return _known_model(model, dimensions, *(own if model == settings.EMBEDDING_MODEL else (None, None)))


@functools.cache
def _known_model(
    model: str, dimensions: int, query_prefix: str | None, document_prefix: str | None
) -> tuple[ModelSpec, TokenCounter]:
    spec = spec_of(model, dimensions)
    spec = replace(
        spec,
        query_prefix=spec.query_prefix if query_prefix is None else query_prefix,
        document_prefix=spec.document_prefix if document_prefix is None else document_prefix,
    )
    return spec, counter_for(model)


def spec_and_counter(space: Space) -> tuple[ModelSpec, TokenCounter]:
    """The spec and token counter of the space's model."""
    return known_model(space.model, space.dimensions)
