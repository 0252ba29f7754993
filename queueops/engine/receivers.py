"""Turns the signals of articles into tasks, in the transaction that sent them."""

import functools
from collections.abc import Callable
from typing import Any

from django.db import transaction

from articles.models import Article
from queueops.base import installed
from queueops.engine import modes, synchronous
from queueops.engine.enqueue import Reason, enqueue, enqueue_new
from queueops.models import Mode


def article_saved(instance: Article, created: bool = False, raw: bool = False, **_: Any) -> None:
    """Listens to post_save of Article. Fixtures (`raw`) are left to the sweep."""
    if raw:
        return
    if created:
        enqueue_it = functools.partial(enqueue_new, instance)
    else:
        enqueue_it = functools.partial(enqueue, [instance.pk], Reason.EDIT)
    _enqueue_or_embed([instance.pk], Reason.EDIT, enqueue_it)


def articles_written(article_ids: list[int], reason: str, **_: Any) -> None:
    """Listens to articles_written, sent by bulk writers."""
    _enqueue_or_embed(article_ids, Reason(reason), functools.partial(enqueue, article_ids, Reason(reason)))


def _enqueue_or_embed(article_ids: list[int], reason: Reason, enqueue_them: Callable[..., int]) -> None:
    mode = modes.current()
    if mode is Mode.DISABLED:
        return
    if not installed.is_there():
        transaction.on_commit(
            functools.partial(synchronous.embed_without_queue, article_ids, reason), robust=True
        )
        return
    is_inline = mode is Mode.SYNCHRONOUS and reason is Reason.EDIT
    if enqueue_them(announce=not is_inline) and is_inline:
        transaction.on_commit(functools.partial(synchronous.embed_now, article_ids), robust=True)
