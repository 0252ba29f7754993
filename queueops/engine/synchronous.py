"""Synchronous mode: the process that saved an article embeds it itself; a failure never fails the save."""

from collections.abc import Sequence

import structlog
from django.db import DatabaseError, InterfaceError

from embeddings.indexing.synchronous import bring_up_to_date
from embeddings.models import Space
from embeddings.providers.errors import ProviderError
from queueops.admission import gate, recipe_guard
from queueops.engine import claims, execution
from queueops.engine.enqueue import Reason

# The request waits for this; texts not embedded by then stay pending for workers or the sweep.
DEADLINE_SECONDS = 5.0

log = structlog.get_logger(__name__)


def embed_now(article_ids: Sequence[int]) -> None:
    """Claims and executes these articles' tasks in the serving space; the result is in the rows."""
    space = Space.objects.serving()
    if space is None or not recipe_guard.may_write(space):
        return
    try:
        permit = gate.admit(space.provider)
        if permit.wait:  # the provider is down or limited: do not keep the request waiting
            return
        claim = claims.claim_of_articles(space, article_ids, "request")
        if claim.tasks:
            execution.execute(claim, DEADLINE_SECONDS, permit)
        else:
            gate.release(permit)
    except (DatabaseError, InterfaceError) as error:
        log.error("article saved but not embedded; the sweep will queue it", error=type(error).__name__)


def embed_without_queue(article_ids: Sequence[int], reason: Reason) -> None:
    """Embeds these articles while the queue is not installed; an import gets the full deadline, since no request waits
    for it."""
    space = Space.objects.serving()
    if space is None or not recipe_guard.may_write(space):
        return
    deadline = DEADLINE_SECONDS if reason is Reason.EDIT else execution.deadline_seconds()
    try:
        bring_up_to_date(space, article_ids, deadline)
    except (DatabaseError, InterfaceError, ProviderError) as error:
        log.error(
            "article saved but not embedded; save it again, or install the queue", error=type(error).__name__
        )
