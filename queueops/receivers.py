"""What articles announce becomes tasks, in the transaction that announced it."""

import functools
from typing import Any

from django.db import transaction

from articles.models import Article
from queueops import inline, modes
from queueops.enqueue import Reason, enqueue
from queueops.models import Mode


def article_saved(instance: Article, raw: bool = False, **_: Any) -> None:
    """Listens to post_save of Article. Fixtures (`raw`) are left to the sweep."""
    if not raw:
        _act_on([instance.pk], Reason.EDIT)


def articles_written(article_ids: list[int], reason: str, **_: Any) -> None:
    """Listens to articles_written, which set-wise writers send."""
    _act_on(article_ids, Reason(reason))


def _act_on(article_ids: list[int], reason: Reason) -> None:
    mode = modes.current()
    if mode is Mode.DISABLED:
        return
    is_inline = mode is Mode.SYNCHRONOUS and reason is Reason.EDIT
    if enqueue(article_ids, reason, announce=not is_inline) and is_inline:
        transaction.on_commit(functools.partial(inline.embed_now, article_ids), robust=True)
