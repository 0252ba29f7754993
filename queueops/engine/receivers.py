"""Turns the writing of articles into tasks, in the transaction that wrote them."""

import functools
from typing import Any

from django.db import transaction

from articles.insert import Companions
from queueops.base import installed
from queueops.engine import enqueue, modes, synchronous
from queueops.engine.enqueue import Reason
from queueops.models import Mode


def with_new_article() -> Companions | None:
    """What is written with a new article, in its statement."""
    mode = modes.current()
    if mode is Mode.DISABLED:
        return None
    if not installed.is_there():
        return Companions("", {}, lambda article_id: _embed_without_queue([article_id], Reason.EDIT))
    if mode is Mode.SYNCHRONOUS:
        return enqueue.with_new_article(lambda article_id: _embed_after_commit([article_id]))
    return enqueue.with_new_article(enqueue.announce_tasks)


def articles_written(article_ids: list[int], reason: str, **_: Any) -> None:
    """Listens to articles_written."""
    why = Reason(reason)
    mode = modes.current()
    if mode is Mode.DISABLED:
        return
    if not installed.is_there():
        _embed_without_queue(article_ids, why)
        return
    is_inline = mode is Mode.SYNCHRONOUS and why is Reason.EDIT
    if enqueue.enqueue(article_ids, why, announce=not is_inline) and is_inline:
        _embed_after_commit(article_ids)


def _embed_without_queue(article_ids: list[int], reason: Reason) -> None:
    embed = functools.partial(synchronous.embed_without_queue, article_ids, reason)
    transaction.on_commit(embed, robust=True)


def _embed_after_commit(article_ids: list[int]) -> None:
    transaction.on_commit(functools.partial(synchronous.embed_now, article_ids), robust=True)
