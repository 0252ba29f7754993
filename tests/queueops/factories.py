"""Rows that the queue's tests start from; plain functions."""

import uuid
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models.functions import Now

from articles.models import Article
from embeddings.models import Space
from queueops.models import Status, Task, Worker
from queueops.models.worker import ROW_FOR_ALL

_LEASE = timedelta(minutes=1)


def make_space(**fields: Any) -> Space:
    """The serving space, made narrow: what the fake provider gives fits in it."""
    Space.objects.exclude(state="retired").delete()
    defaults = {
        "version": 100,
        "provider": "openai",
        "model": "fake-embed",
        "dimensions": 8,
        "chunk_tokens": 200,
        "state": "serving",
    }
    return Space.objects.create(**defaults | fields)


def make_worker(**fields: Any) -> Worker:
    worker = Worker.objects.create(**{"name": "test"} | fields)
    if worker.pk == ROW_FOR_ALL and "id" not in fields:  # no process gets it
        worker.delete()
        worker = make_worker(**fields)
    return worker


def make_article(title: str = "A title", content: str = "Some content.", **fields: Any) -> Article:
    """Through save(), so with its task."""
    article = Article(title=title, content=content, **fields)
    article.save()
    return article


def make_tasks(count: int, space: Space, status: str = Status.PENDING, **fields: Any) -> list[Task]:
    """Articles with one task each, as the queue leaves tasks of that status; written set by set, without signals."""
    articles = Article.objects.bulk_create(
        Article(
            slug=f"bulk-{status}-{fields.get('priority', 'any')}-{n}", title=f"Bulk {n}", content=f"Text {n}."
        )
        for n in range(count)
    )
    fields = _usual(status) | fields
    return Task.objects.bulk_create(
        Task(article=a, slug=a.slug, space=space, status=status, content_hash=a.content_hash, **fields)
        for a in articles
    )


def _usual(status: str) -> dict[str, Any]:
    if status == Status.PENDING:
        return {}
    if status == Status.PROCESSING:
        return {
            "attempts": 1,
            "claim_token": uuid.uuid4(),
            "claimed_by": "test",
            "lease_expires_at": Now() + _LEASE,
        }
    outcome = {Status.COMPLETED: "embedded", Status.FAILED: "failed"}.get(Status(status), "")
    return {"attempts": 1, "outcome": outcome, "completed_at": Now()}


def now() -> Any:
    """The database's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def plan_of(sql: str, arguments: Any = None) -> str:
    """The plan that Postgres chooses, as text."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (COSTS OFF) " + sql, arguments)
        return "\n".join(row[0] for row in cursor.fetchall())
