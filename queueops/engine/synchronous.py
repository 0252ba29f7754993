"""Synchronous mode: the process that saved an article embeds it itself, and a failure never fails the save."""

from collections.abc import Sequence

import structlog
from django.db import DatabaseError, InterfaceError

from embeddings.indexing.synchronous import bring_up_to_date
from embeddings.models import Space
from embeddings.providers.errors import ProviderError
from queueops.admission import gate
from queueops.engine import claims, execution
from queueops.engine.enqueue import Reason

# A reader waits for this; what is not embedded by then stays pending, and workers or the sweep find it.
DEADLINE_SECONDS = 5.0

log = structlog.get_logger(__name__)


def embed_now(article_ids: Sequence[int]) -> None:
    """Claims and executes these articles' tasks in the serving space; the rows tell how it ended."""
    space = Space.objects.serving()
    if space is None:
        return
    try:
        passage = gate.ask(space.provider)
        if passage.wait:  # the provider is out or limited: no reader waits for what will not come
            return
        claim = claims.claim_of_articles(space, article_ids, "request")
        if claim.tasks:
            execution.execute(claim, DEADLINE_SECONDS, passage)
        else:
            gate.withdraw(passage)
    except (DatabaseError, InterfaceError) as error:
        log.error("article saved but not embedded; the sweep will find it", error=type(error).__name__)


def embed_without_queue(article_ids: Sequence[int], reason: Reason) -> None:
    """Embeds these articles where the queue is not installed; nobody waits for an import, so that takes its time."""
    space = Space.objects.serving()
    if space is None:
        return
    deadline = DEADLINE_SECONDS if reason is Reason.EDIT else execution.deadline_seconds()
    try:
        bring_up_to_date(space, article_ids, deadline)
    except (DatabaseError, InterfaceError, ProviderError) as error:
        log.error(
            "article saved but not embedded; save it again, or install the queue", error=type(error).__name__
        )
