"""Each index serves the query that its comment names: the plans, read on tables of some thousand rows."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from pytest_django import DjangoDbBlocker

from articles.filters import EVERYTHING
from articles.models import Article
from embeddings.models import Space
from embeddings.search import keyword
from embeddings.storage import coverage
from queueops.maintenance import cleanup
from queueops.models import AuditLog, Metric, Task
from queueops.monitoring import article_status
from tests.queueops.factories import make_space, plan_of

pytestmark = pytest.mark.django_db

ROWS = 4000
FILL = [
    """
    INSERT INTO articles (slug, title, content, metadata, created_at)
    SELECT 'article-' || n, 'Article ' || n, 'Word' || n || ' and some more text.',
           jsonb_build_object('number', n), now() - n * interval '1 minute'
    FROM generate_series(1, %(rows)s) n
    """,
    """
    INSERT INTO article_embeddings
        (article_id, space_id, chunk_index, chunk_count, span, text_hash, source_version, source_hash, embedding)
    SELECT id, %(space)s, 0, 1, '[0,5)', substr(sha256(slug::bytea), 1, 16), 1, content_hash,
           '[1,2,3,4,5,6,7,8]'
    FROM articles
    """,
    """
    INSERT INTO embedding_tasks (article_id, slug, space_id, status, completed_at)
    SELECT id, slug, %(space)s, CASE WHEN id %% 100 = 0 THEN 'failed' ELSE 'completed' END,
           now() - id * interval '1 minute'
    FROM articles
    """,
    """
    INSERT INTO embedding_audit_logs (timestamp, category, message, task_id, operation_id)
    SELECT now() - n * interval '1 minute', 'engine', 'm', n, gen_random_uuid() FROM generate_series(1, %(rows)s) n
    """,
    """
    INSERT INTO performance_metrics (timestamp, name, value)
    SELECT now() - n * interval '1 minute', 'name-' || n %% 20, n FROM generate_series(1, %(rows)s) n
    """,
    "ANALYZE",
]


@pytest.fixture(scope="module")
def tables(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Space]:
    """Filled once for all plans, in a transaction that is rolled back."""
    with django_db_blocker.unblock():
        connection.set_autocommit(False)
        space = make_space()
        with connection.cursor() as cursor:
            for statement in FILL:
                cursor.execute(statement, {"rows": ROWS, "space": space.pk})
        yield space
        connection.rollback()
        connection.set_autocommit(True)


def plan_of_rows(rows: QuerySet[Any]) -> str:
    return rows.explain()


def first_article() -> Article:
    return Article.objects.earliest("id")


def some(model: type[Article | AuditLog | Metric], **filters: Any) -> QuerySet[Any]:
    return model.objects.filter(**filters)


QUERIES = {
    "articles_newest": lambda space: plan_of_rows(Article.objects.newest_first()[:20]),
    "articles_metadata": lambda space: plan_of_rows(Article.objects.having({"number": 7})),
    "articles_keywords": lambda space: plan_of(
        keyword.matches_sql(EVERYTHING),
        {
            **{"all": "'word77'", "any": "'word77' | 'word78'", "ranked": "'word77'"},
            **{"most": 1000, "scored": 100, "lexemes": ["word77"], "joined": ["'word77'"]},
        },
    ),
    "articles_slug": lambda space: plan_of_rows(some(Article, slug="article-7")),
    "article_versions_number": lambda space: plan_of_rows(first_article().versions.all()[:5]),
    "article_embeddings_one_per_chunk": lambda space: plan_of(
        article_status._statement(article_status._RECEIVING, article_status._TASK),
        {"articles": [first_article().pk]},
    ),
    "article_embeddings_text": lambda space: plan_of(
        "SELECT text_hash, vector_send(embedding) FROM article_embeddings"
        " WHERE space_id = %s AND text_hash = ANY(%s) AND embedding IS NOT NULL",
        [space.pk, [bytes(16), bytes(range(16))]],
    ),
    "embedding_tasks_article": lambda space: plan_of(
        article_status._statement(article_status._RECEIVING, article_status._TASK),
        {"articles": [first_article().pk]},
    ),
    "embedding_tasks_ended_badly": lambda space: plan_of_rows(Task.objects.failed().newest_first()[:20]),
    "embedding_tasks_completed": lambda space: plan_of(
        cleanup._DELETES["tasks"], {"age": 2_400_000, "batch": 10}
    ),
    "embedding_audit_newest": lambda space: plan_of_rows(AuditLog.objects.order_by("-timestamp", "-id")[:20]),
    "embedding_audit_task": lambda space: plan_of_rows(some(AuditLog, task_id=7)),
    "embedding_audit_operation": lambda space: plan_of_rows(
        some(AuditLog, operation_id="00000000-0000-0000-0000-000000000000")
    ),
    "performance_metrics_course": lambda space: plan_of_rows(
        some(Metric, name="name-7").order_by("-timestamp")[:20]
    ),
}


@pytest.mark.parametrize("index", QUERIES)
def test_the_query_reads_its_index(tables: Space, index: str) -> None:
    plan = QUERIES[index](tables)
    assert index in plan, plan


def test_coverage_probes_one_row_an_article(tables: Space) -> None:
    plan = plan_of_rows(coverage.behind(tables)[:20])
    assert plan.count("article_embeddings") >= 1
    assert "SubPlan" not in plan, plan


def test_every_index_that_we_made_has_a_query_here_or_beside_the_code() -> None:
    elsewhere = {  # test_claims, test_recovery, test_enqueue
        "embedding_tasks_due",
        "embedding_tasks_lost",
        "embedding_tasks_waiting",
        "embedding_tasks_held",
        "embedding_tasks_one_pending",
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname !~ '_(pkey|key|like)$'"
            " AND tablename IN ('articles', 'article_versions', 'article_embeddings', 'embedding_tasks',"
            " 'embedding_audit_logs', 'performance_metrics', 'embedding_worker_status', 'queue_state')"
            " AND indexname !~ 'article_embeddings_ann_'"
        )
        made = {name for (name,) in cursor.fetchall()}
    unknown = {name for name in made if not any(name.startswith(known) for known in [*QUERIES, *elsewhere])}
    assert not unknown
