"""Enqueues articles, batch by batch, to be embedded anew although their text has vectors, which answer meanwhile."""

import uuid
from collections.abc import Iterator

from django.db import transaction
from django.db.models import Max

from queueops.engine.enqueue import enqueue_reembedding
from queueops.models import AuditLog, Category
from queueops.monitoring.article_filter import ArticleFilter

_BATCH = 2_000


def batches(
    scope: ArticleFilter, *, actor: str, reason: str, operation: uuid.UUID
) -> Iterator[tuple[int, int]]:
    """Enqueues the articles that fit, a transaction a batch; after each, how many articles and how many tasks it was.

    Those that come later are embedded anyway. Stopped half-way, it leaves whole batches; called again, it joins what
    still waits. Each batch has an audit row of the operation.
    """
    articles = scope.fitting()
    last, past = articles.aggregate(last=Max("pk"))["last"] or 0, 0
    while past < last:
        with transaction.atomic():
            found = articles.filter(pk__gt=past, pk__lte=last).order_by("pk").values_list("pk", flat=True)
            ids = list(found[:_BATCH])
            if not ids:
                return
            tasks = enqueue_reembedding(ids, operation)
            AuditLog.objects.create(
                category=Category.OPERATOR,
                actor=actor,
                operation_id=operation,
                message="articles enqueued to be embedded anew",
                metadata={"reason": reason, "scope": {"verb": "reindex", **scope.as_json()}, "tasks": tasks},
            )
        yield len(ids), tasks
        past = ids[-1]
