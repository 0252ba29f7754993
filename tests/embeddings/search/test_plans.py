"""The statements of a search; test_semantic.py has what they find."""

from typing import Any

import numpy as np
import pytest
from django.db import connection

from articles.models import Article
from embeddings.models import Space
from embeddings.search.plans import EF_SEARCH, Plan, ef_search, sql
from embeddings.search.semantic import nearest
from embeddings.storage import ann_index, vectors
from embeddings.storage.vectors import StoredChunk, VectorParameter, WireVector
from lib import prepared_statements
from tests.queueops.factories import make_article, make_space

WIDTH = 8


def test_a_plan_is_named_for_people() -> None:
    assert {str(plan) for plan in Plan} == {
        "exact",
        "exact, filtered",
        "approximate",
        "approximate, filtered",
    }


@pytest.mark.parametrize(
    ("chunks", "candidates"), [(1, EF_SEARCH), (EF_SEARCH, EF_SEARCH), (500, 500), (10**6, 1_000)]
)
def test_an_index_is_asked_for_as_many_candidates_as_are_wanted(chunks: int, candidates: int) -> None:
    assert ef_search(chunks) == candidates


@pytest.mark.parametrize("dimensions", [8, 2_000, 2_001])
@pytest.mark.parametrize("plan", list(Plan))
def test_no_value_of_a_caller_is_in_the_text_of_a_statement(dimensions: int, plan: Plan) -> None:
    text = sql(Space(pk=7, dimensions=dimensions), plan, 10, 30, "metadata @> %(filter)s::jsonb")
    assert ("halfvec" in text) is (dimensions > 2_000)
    assert ("%(filter)s" in text) is (plan in {Plan.OF_KEPT, Plan.FILTERED, Plan.INDEX_FILTERED})
    assert "space_id = 7" in text


def wire(*numbers: float) -> WireVector:
    return vectors.to_wire(np.array([[*numbers, *[0.0] * (WIDTH - len(numbers))]], np.float32))[0]


def stored(space: Space, article: Article, vector: WireVector) -> None:
    chunk = StoredChunk(
        article.pk, 0, 1, 0, 1, bytes(16), article.version_number, article.content_hash, vector
    )
    vectors.replace(space.pk, [article.pk], [chunk])


def asked(space: Space, plan: Plan, k: int, chunks: int, prefix: str = "") -> list[tuple[Any, ...]]:
    arguments: dict[str, Any] = {"vector": VectorParameter(wire(1))}
    with prepared_statements.cursor(kept=plan is Plan.INDEX) as cursor:
        cursor.execute(prefix + sql(space, plan, k, chunks), arguments)
        return list(cursor.fetchall())


@pytest.mark.django_db
@pytest.mark.parametrize("dimensions", [WIDTH, 2_001])
@pytest.mark.parametrize("plan", list(Plan))
def test_the_server_accepts_every_statement_at_every_width(dimensions: int, plan: Plan) -> None:
    space = make_space(dimensions=dimensions)
    vector = VectorParameter(vectors.to_wire(np.eye(1, dimensions, dtype=np.float32))[0])
    with prepared_statements.cursor() as cursor:
        arguments: dict[str, Any] = {"vector": vector, "filter": "{}"}
        cursor.execute(sql(space, plan, 3, 9, "metadata @> %(filter)s::jsonb"), arguments)
        hits = [row for row in cursor.fetchall() if row[0] is not None]
        assert hits == []


@pytest.mark.django_db
def test_of_an_articles_versions_only_the_one_of_its_chunk_is_read() -> None:
    space = make_space()
    for title in ("edited", "not edited"):
        article = make_article(title, "text")
        stored(space, article, wire(1))
    for n in range(50):
        article.content = f"text {n}"
        article.save()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE articles; ANALYZE article_versions; ANALYZE article_embeddings")
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = "\n".join(
        row[0] for row in asked(space, Plan.EVERY_VECTOR, 10, 30, "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ")
    )
    assert "Rows Removed by Join Filter" not in plan, plan
    assert "version_number = candidates.source_version" in plan, plan


@pytest.fixture
def indexed(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Any:
    monkeypatch.setattr(ann_index, "_REMEMBER_SECONDS", 0)
    space = make_space()
    ann_index.build(space)
    yield space
    ann_index.drop(space)


def fill(space: Space, count: int) -> list[Article]:
    """Articles at growing distances from the query."""
    made = Article.objects.bulk_create(
        Article(slug=f"a{n}", title=f"A{n}", content="x") for n in range(count)
    )
    vectors.replace(
        space.pk,
        [],
        [
            StoredChunk(a.pk, 0, 1, 0, 1, n.to_bytes(16), 1, a.content_hash, wire(1, n / count))
            for n, a in enumerate(made)
        ],
    )
    return made


def without_sequential_scans() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE; SET enable_seqscan = off; SET enable_sort = off")


def test_the_number_of_candidates_is_set_before_the_index_is_read(indexed: Space) -> None:
    fill(indexed, 600)
    without_sequential_scans()
    found = asked(indexed, Plan.INDEX, 400, 400)
    assert len(found) == 400  # pgvector's own 40 would end earlier
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('hnsw.ef_search')")
        assert cursor.fetchone() == ("40",)


def test_the_prepared_statement_keeps_a_plan_that_reads_the_spaces_own_index(indexed: Space) -> None:
    fill(indexed, 2_000)
    without_sequential_scans()
    for _ in range(20):
        asked(indexed, Plan.INDEX, 10, 30)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, generic_plans FROM pg_prepared_statements WHERE statement LIKE '%nearest%'"
        )
        ((name, generic),) = cursor.fetchall()
        assert generic > 0
        cursor.execute("SET plan_cache_mode = force_generic_plan")
        cursor.execute(f"EXPLAIN EXECUTE \"{name}\"('{[1.0] * WIDTH}')")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert ann_index.name_of(indexed) in plan, plan


def test_deleted_vectors_near_the_query_hide_no_article(indexed: Space) -> None:
    made = fill(indexed, 600)
    Article.objects.filter(pk__in=[article.pk for article in made[:300]]).delete()
    without_sequential_scans()
    assert asked(indexed, Plan.INDEX, 5, 15) == []
    found = nearest(indexed, wire(1), 5)
    assert [hit.slug for hit in found.hits] == ["a300", "a301", "a302", "a303", "a304"]
    assert found.path == "approximate"
