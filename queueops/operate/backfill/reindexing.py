"""Enqueues articles in batches for re-embedding although their text has vectors, which searches use meanwhile."""

import uuid
from collections.abc import Iterator

from django.db import transaction
from django.db.models import Max

from embeddings import spaces
from embeddings.models import Space
from queueops.engine.enqueue import enqueue_reembedding
from queueops.models import AuditLog, Category, Level
from queueops.monitoring.article_filter import ArticleFilter

_BATCH = 2_000


def accept_recipes(operation: uuid.UUID, *, actor: str, reason: str) -> list[Space]:
    """Gives each living space of another recipe that of this process, and returns them: the articles must be embedded
    again, all of them, and until that is done old and new vectors are compared with each other."""
    accepted = []
    for space in Space.objects.receiving():
        before = space.fingerprint
        with transaction.atomic():
            if not spaces.accept_recipe(space):
                continue
            space.refresh_from_db()
            AuditLog.objects.create(
                category=Category.OPERATOR,
                level=Level.WARNING,
                actor=actor,
                operation_id=operation,
                message=f"recipe of space {space} replaced",
                metadata={
                    "reason": reason,
                    "space": space.pk,
                    "from": before,
                    "to": space.fingerprint,
                    "recipe": space.recipe,
                },
            )
        accepted.append(space)
    return accepted


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
                message="articles enqueued for re-embedding",
                metadata={"reason": reason, "scope": {"verb": "reindex", **scope.as_json()}, "tasks": tasks},
            )
        yield len(ids), tasks
        past = ids[-1]
