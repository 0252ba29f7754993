"""Spaces, and the vectors of articles in them."""

import json
from typing import Any, Self

from django.contrib.postgres.fields import IntegerRangeField
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now
from pgvector.django import VectorField

from articles.models import Article
from embeddings import recipes
from lib import prepared_statements

# Written out: composing the statement costs a search more than running it.
_SPACE_FIELDS = (
    *("id", "version", "provider", "model", "dimensions", "chunk_tokens", "chunk_overlap"),
    *("state", "created_at", "served_at", "retired_at", "fingerprint", "recipe"),
)
_SERVING = """
SELECT id, version, provider, model, dimensions, chunk_tokens, chunk_overlap, state, created_at, served_at, retired_at,
       fingerprint, recipe
FROM embedding_spaces WHERE state = 'serving'
"""


class SpaceState(models.TextChoices):
    """All but a retired one receive every change of an article; only the serving one answers searches."""

    BUILDING = "building"
    READY = "ready"
    STANDBY = "standby"  # kept up to date, to serve again
    SERVING = "serving"
    RETIRED = "retired"


class SpaceQuerySet(models.QuerySet["Space"]):
    def receiving(self) -> Self:
        """Spaces that need every change of an article: the serving one first, then one that may serve again."""
        live = self.exclude(state=SpaceState.RETIRED)
        first = models.When(state=SpaceState.SERVING, then=0), models.When(state=SpaceState.STANDBY, then=1)
        return live.order_by(models.Case(*first, default=2), "id")

    def serving(self) -> "Space | None":
        """The space that serves searches, or None before there is one."""
        with prepared_statements.cursor() as cursor:
            cursor.execute(_SERVING)
            row = cursor.fetchone()
        return Space.from_db(self.db, _SPACE_FIELDS, [*row[:-1], json.loads(row[-1])]) if row else None


# of a space in a statement over `embedding_spaces s`: not yet as good as another, so its work comes after the others'
IS_BUILT_SQL = "s.state IN ('building', 'ready')"
# the name of a space in a statement over `embedding_spaces s`
SPACE_NAME_SQL = "s.provider || '/' || s.model || ' v' || s.version"


class Space(models.Model):
    """One way of turning text into vectors: vectors of two spaces are never compared.

    `recipe` is that way in full, and `fingerprint` its digest: a process with another one writes no vector here."""

    version = models.PositiveIntegerField(unique=True)
    provider = models.CharField(max_length=32)
    model = models.CharField(max_length=200)
    dimensions = models.PositiveIntegerField()
    chunk_tokens = models.PositiveIntegerField()
    chunk_overlap = models.PositiveIntegerField(default=0, db_default=0)
    state = models.CharField(
        max_length=16, choices=SpaceState, default=SpaceState.BUILDING, db_default=SpaceState.BUILDING
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    served_at = models.DateTimeField(null=True, blank=True, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)
    fingerprint = models.CharField(max_length=32, blank=True, default="", db_default="", editable=False)
    recipe = models.JSONField(
        default=dict, blank=True, db_default=Value({}, models.JSONField()), editable=False
    )

    objects = SpaceQuerySet.as_manager()

    class Meta:
        db_table = "embedding_spaces"
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="serving"), name="embedding_spaces_one_serves"
            ),
            models.UniqueConstraint(
                Value(1), condition=Q(state__in=["building", "ready"]), name="embedding_spaces_one_is_built"
            ),
            models.CheckConstraint(
                condition=Q(state__in=SpaceState.values), name="embedding_spaces_known_state"
            ),
            models.CheckConstraint(
                condition=Q(dimensions__gte=1, dimensions__lte=16_000), name="embedding_spaces_dimensions"
            ),
        ]

    def __str__(self) -> str:
        """As SPACE_NAME_SQL has it."""
        return f"{self.provider}/{self.model} v{self.version}"

    def save(self, **arguments: Any) -> None:
        """A new space gets the recipe of this process, unless it was given one."""
        if self._state.adding and not self.fingerprint:
            self.take_own_recipe()
        super().save(**arguments)

    @property
    def is_built(self) -> bool:
        """As IS_BUILT_SQL has it."""
        return self.state in (SpaceState.BUILDING, SpaceState.READY)

    def take_own_recipe(self) -> None:
        """Sets the recipe to that of this process, whatever the row has; `save` is the caller's."""
        self.fingerprint = ""
        own = recipes.own(self)
        self.recipe, self.fingerprint = own.as_json(), own.fingerprint


class ArticleEmbedding(models.Model):
    """The vector of one chunk. A text with nothing to embed has one row without a vector and chunk_count 0,
    so that every article that is up to date in a space has exactly one row with chunk_index 0 there."""

    article = models.ForeignKey(
        Article, on_delete=models.DB_CASCADE, related_name="embeddings", db_index=False
    )
    space = models.ForeignKey(Space, on_delete=models.DB_CASCADE, related_name="embeddings", db_index=False)
    chunk_index = models.PositiveIntegerField()
    chunk_count = models.PositiveIntegerField()
    span = IntegerRangeField(help_text="characters of the version's content, the end left out")
    text_hash = models.BinaryField(max_length=16, help_text="BLAKE2b-128 of the text that was embedded")
    source_version = models.PositiveIntegerField()
    source_hash = models.UUIDField(help_text="the article's content_hash when it was embedded")
    embedding = VectorField(null=True)

    class Meta:
        db_table = "article_embeddings"
        constraints = [
            # an article's vectors (settle, explain, cascade), and articles behind in a space (coverage)
            models.UniqueConstraint(
                fields=["article", "space", "chunk_index"], name="article_embeddings_one_per_chunk"
            ),
        ]
        indexes = [
            # embeddings.storage.vectors.known: text with a vector is not paid for again; cascade from a space
            models.Index(fields=["space", "text_hash"], name="article_embeddings_text"),
        ]

    def __str__(self) -> str:
        return f"chunk {self.chunk_index} of article {self.article_id} in space {self.space_id}"


class KeptVector(models.Model):
    """A paid vector of an incomplete article: its task continues from here at its next turn. Removed when the article's
    vectors are stored, or no task needs it. `chunks_to_embed` is how many chunks of the article had no vector when it
    was begun."""

    article = models.ForeignKey(Article, on_delete=models.DB_CASCADE, related_name="+", db_index=False)
    space = models.ForeignKey(Space, on_delete=models.DB_CASCADE, related_name="+", db_index=False)
    text_hash = models.BinaryField(max_length=16, help_text="BLAKE2b-128 of the text that was embedded")
    embedding = models.BinaryField(help_text="as pgvector sends it: vectors.WireVector")
    chunks_to_embed = models.PositiveIntegerField()
    kept_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "kept_vectors"
        constraints = [
            # an article's progress, and its end (kept.remove, cascade)
            models.UniqueConstraint(
                fields=["article", "space", "text_hash"], name="kept_vectors_one_per_text"
            ),
        ]
        indexes = [
            # embeddings.storage.vectors.known: text with a vector is not paid for again; cascade from a space
            models.Index(fields=["space", "text_hash"], name="kept_vectors_text"),
        ]

    def __str__(self) -> str:
        return f"a kept vector of article {self.article_id} in space {self.space_id}"
