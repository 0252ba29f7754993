"""The mode the installation runs in: queued, synchronous or disabled."""

from django.conf import settings
from django.db import OperationalError, connection

from lib.database_errors import is_held_up
from lib.timed_cache import TimedCache
from queueops.base import installed
from queueops.models import Mode, QueueState

# every process sees a change of the row within this time
SECONDS = 1.0
# while the row is locked, the last value read stays in force and is re-read at this interval
_SECONDS_WHILE_LOCKED = 5.0


def of_settings() -> Mode:
    """The mode set in the environment."""
    if not settings.SEMANTIC_SEARCH_ENABLED:
        return Mode.DISABLED
    return Mode.QUEUED if settings.EMBEDDING_QUEUE_ENABLED else Mode.SYNCHRONOUS


def without_queue() -> Mode:
    """The mode set in the environment, limited to synchronous while the queue is not installed."""
    return Mode.DISABLED if of_settings() is Mode.DISABLED else Mode.SYNCHRONOUS


def current() -> Mode:
    """The mode in force: the one an operator has stored, else that of the settings, as far as the database allows."""
    if not installed.is_there():
        return without_queue()
    persisted = _persisted()
    return Mode(persisted) if persisted else of_settings()


def _persisted() -> str:
    try:
        return _row.get()
    except OperationalError as error:
        if connection.in_atomic_block or not is_held_up(error):
            raise
        if (last := _row.keep(_SECONDS_WHILE_LOCKED)) is None:
            raise
        return last


def _read() -> str:
    return QueueState.objects.filter(pk=1).values_list("mode", flat=True).first() or ""


def embeds() -> bool:
    """Whether texts and queries may be sent to a provider."""
    return current() is not Mode.DISABLED


_row = TimedCache(_read, SECONDS)


def forget() -> None:
    """Reads the row again at the next call (after a change by this process)."""
    _row.forget()
