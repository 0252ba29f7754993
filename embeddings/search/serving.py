"""The space that answers searches, asked of the database once a second in each process.

A search would otherwise wait for a second round trip. A change of the row holds in every process within SECONDS, one
made here at once.
"""

from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from embeddings.models import Space
from lib.timed_cache import TimedCache

SECONDS = 1.0

_known: TimedCache[Space | None] = TimedCache(Space.objects.serving, SECONDS)


def space() -> Space | None:
    """The serving space, as it was within the last SECONDS; None before there is one."""
    return _known.get()


@receiver([post_save, post_delete], sender=Space)
def forget(**_: Any) -> None:
    """Asks at the next search."""
    _known.forget()
