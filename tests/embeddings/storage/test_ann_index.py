"""The approximate index: built when it pays, used when it stands, replaced when it is broken."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from django.db import connection

from articles.filters import where
from articles.models import Article
from embeddings.models import Space
from embeddings.search import plans, semantic
from embeddings.search.plans import Plan, sql
from embeddings.storage import ann_index, vectors
from embeddings.storage.vectors import StoredChunk, VectorParameter
from lib import prepared_statements
from tests.databases import spoil_index
from tests.queueops.factories import make_space

pytestmark = pytest.mark.django_db(transaction=True)
WIDTH = 16


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch) -> Iterator[Space]:
    monkeypatch.setattr(ann_index, "WANTED_FROM_ROWS", 2000)
    monkeypatch.setattr(ann_index, "_REMEMBER_SECONDS", 0)
    space = make_space(dimensions=WIDTH)
    yield space
    ann_index.drop(space)


def fill(space: Space, count: int) -> np.ndarray:
    """Random unit vectors, one article each; half of them say {"even": true}."""
    matrix = np.random.default_rng(1).standard_normal((count, WIDTH)).astype(np.float32)
    articles = Article.objects.bulk_create(
        Article(slug=f"a{n}", title=f"A{n}", content="x", metadata={"even": n % 2 == 0}) for n in range(count)
    )
    wires = vectors.to_wire(matrix)
    chunks = [
        StoredChunk(a.pk, 0, 1, 0, 1, n.to_bytes(16), 1, a.content_hash, wires[n])
        for n, a in enumerate(articles)
    ]
    vectors.replace(space.pk, [], chunks)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return matrix


def query_of(row: np.ndarray) -> bytes:
    return vectors.to_wire(row[None])[0]


def test_a_small_space_wants_no_index_and_a_large_one_does(space: Space) -> None:
    assert not ann_index.is_wanted(space)
    fill(space, 2000)
    assert ann_index.is_wanted(space)
    assert ann_index.build(space)
    assert not ann_index.is_wanted(space)


def test_searches_use_the_index_and_find_what_an_exact_scan_finds(space: Space) -> None:
    matrix = fill(space, 3000)
    exact = [semantic.nearest(space, query_of(row), 10) for row in matrix[:20]]
    ann_index.build(space)
    found = [semantic.nearest(space, query_of(row), 10) for row in matrix[:20]]
    assert {f.path for f in exact} == {"exact"}
    assert {f.path for f in found} == {"approximate"}
    same = [
        len({h.slug for h in e.hits} & {h.slug for h in f.hits}) for e, f in zip(exact, found, strict=True)
    ]
    assert sum(same) >= 0.99 * 200


def test_the_statement_of_the_approximate_path_reads_the_spaces_own_index(space: Space) -> None:
    matrix = fill(space, 3000)
    ann_index.build(space)
    arguments = {"vector": VectorParameter(query_of(matrix[0]))}
    for plan in (Plan.INDEX, Plan.INDEX_UNTIL_ENOUGH, Plan.INDEX_FILTERED):
        assert ann_index.name_of(space) in explained(sql(space, plan, 10, 30), arguments)
    for plan in (Plan.OF_KEPT, Plan.FILTERED):
        assert ann_index.name_of(space) not in explained(sql(space, plan, 10, 30), arguments)


def explained(statement: str, arguments: dict[str, Any]) -> str:
    with prepared_statements.cursor(kept=False) as cursor:
        cursor.execute("EXPLAIN (COSTS OFF) " + statement, arguments)
        return "\n".join(row[0] for row in cursor.fetchall())


def test_a_wide_filter_goes_through_the_index_and_still_fills_k(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "EXACT_FILTER_MOST", 100)
    matrix = fill(space, 3000)
    ann_index.build(space)
    found = semantic.nearest(space, query_of(matrix[0]), 50, where({"even": True}))
    assert found.path == "approximate, filtered"
    assert len(found.hits) == 50
    assert all(hit.metadata == {"even": True} for hit in found.hits)


def test_an_index_that_was_left_half_built_is_replaced(space: Space) -> None:
    fill(space, 2000)
    ann_index.build(space)
    spoil_index(ann_index.name_of(space))
    assert not ann_index.is_usable(space)
    assert ann_index.is_wanted(space)
    ann_index.build(space)
    assert ann_index.is_usable(space)


@pytest.mark.parametrize(
    ("dimensions", "column_type"), [(384, "vector(384)"), (2000, "vector(2000)"), (3072, "halfvec(3072)")]
)
def test_wide_vectors_are_indexed_in_half_precision(dimensions: int, column_type: str) -> None:
    assert ann_index.column_type(Space(dimensions=dimensions)) == column_type


def test_what_cannot_be_indexed_is_not_wanted(space: Space) -> None:
    fill(space, 2000)
    space.dimensions = 5000
    assert not ann_index.is_wanted(space)
