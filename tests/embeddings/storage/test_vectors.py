"""What is written in Postgres' binary form is read back as it was."""

import uuid
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction
from psycopg.errors import UniqueViolation

from articles.models import Article
from embeddings.models import ArticleEmbedding
from embeddings.storage import vectors
from embeddings.storage.vectors import StoredChunk, VectorParameter
from lib import prepared_statements
from tests.queueops.factories import make_space

pytestmark = pytest.mark.django_db


def article() -> Article:
    return Article.objects.create(title="T", content="C")


def chunk(article_id: int, index: int = 0, vector: bytes | None = None, **fields: Any) -> StoredChunk:
    defaults: dict[str, Any] = {
        "chunk_count": 1, "start": 3, "end": 9, "text_hash": bytes(range(16)), "source_version": 7,
        "source_hash": uuid.UUID(int=5),
    }  # fmt: skip
    return StoredChunk(article_id=article_id, chunk_index=index, vector=vector, **defaults | fields)


def test_a_chunk_is_stored_as_given() -> None:
    space, owner = make_space(), article()
    numbers = np.array([[0.5, -1.25, 3e-7, 1, 2, 3, 4, 5]], dtype=np.float32)
    (wire,) = vectors.to_wire(numbers)
    vectors.replace(space.pk, [owner.pk], [chunk(owner.pk, vector=wire)])
    row = ArticleEmbedding.objects.get()
    assert (row.article_id, row.space_id, row.chunk_index, row.chunk_count) == (owner.pk, space.pk, 0, 1)
    assert (row.span.lower, row.span.upper) == (3, 9)
    assert (bytes(row.text_hash), row.source_version, row.source_hash) == (
        bytes(range(16)),
        7,
        uuid.UUID(int=5),
    )
    np.testing.assert_array_equal(np.array(row.embedding, dtype=np.float32), numbers[0])


def test_a_text_with_nothing_to_embed_is_stored_without_a_vector() -> None:
    space, owner = make_space(), article()
    vectors.replace(space.pk, [owner.pk], [chunk(owner.pk, start=0, end=0, chunk_count=0)])
    row = ArticleEmbedding.objects.get()
    assert (row.embedding, row.span.isempty) == (None, True)


def test_replacing_leaves_other_articles_alone() -> None:
    space, one, other = make_space(), article(), article()
    (wire,) = vectors.to_wire(np.ones((1, 8), dtype=np.float32))
    vectors.replace(space.pk, [one.pk, other.pk], [chunk(one.pk, vector=wire), chunk(other.pk, vector=wire)])
    vectors.replace(
        space.pk, [one.pk], [chunk(one.pk, 0, wire, chunk_count=2), chunk(one.pk, 1, wire, chunk_count=2)]
    )
    rows = ArticleEmbedding.objects.order_by("article_id", "chunk_index").values_list(
        "article_id", "chunk_index"
    )
    assert list(rows) == [(one.pk, 0), (one.pk, 1), (other.pk, 0)]


def test_known_vectors_come_back_on_the_wire_as_they_went() -> None:
    space, owner = make_space(), article()
    (wire,) = vectors.to_wire(np.arange(1, 9, dtype=np.float32)[None])
    vectors.replace(space.pk, [owner.pk], [chunk(owner.pk, vector=wire)])
    assert vectors.known(space.pk, [bytes(range(16)), b"x" * 16]) == ({bytes(range(16)): wire}, {})
    assert vectors.known(space.pk + 1, [bytes(range(16))]) == ({}, {})


def test_a_vector_travels_as_a_parameter_in_binary_form() -> None:
    (wire,) = vectors.to_wire(np.arange(1, 4, dtype=np.float32)[None])
    with prepared_statements.cursor() as cursor:
        cursor.execute("SELECT (%s::vector)::text", [VectorParameter(wire)])
        assert cursor.fetchone() == ("[1,2,3]",)


def test_deleting_an_article_by_plain_sql_takes_its_vectors_versions_and_tasks_along() -> None:
    space, owner = make_space(), article()
    vectors.replace(space.pk, [owner.pk], [chunk(owner.pk)])
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM articles")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("article_embeddings", "article_versions", "embedding_tasks"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,), table


def test_what_the_database_says_against_a_copy_is_an_error_of_djangos() -> None:
    space, owner = make_space(), article()
    (wire,) = vectors.to_wire(np.ones((1, 8), dtype=np.float32))
    with pytest.raises(IntegrityError) as raised, transaction.atomic():
        vectors.replace(space.pk, [owner.pk], [chunk(owner.pk, vector=wire)] * 2)
    assert isinstance(raised.value.__cause__, UniqueViolation)


def test_a_row_that_is_written_on_trial_leaves_nothing_behind() -> None:
    space, owner = make_space(), article()
    vectors.try_write(space.pk, space.dimensions, [])
    assert not ArticleEmbedding.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE article_embeddings ADD CONSTRAINT never CHECK (chunk_count <> 1)")
    with pytest.raises(IntegrityError):
        vectors.try_write(space.pk, space.dimensions, [])
    vectors.try_write(space.pk, space.dimensions, [owner.pk])  # there is no other to try with
