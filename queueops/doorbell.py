"""Rings for workers once the transaction that made tasks has committed. A lost ring costs one sweep, never a task."""

import threading
import time
from typing import Any

import dramatiq
import structlog
from django.db import transaction
from dramatiq.errors import DramatiqError
from redis.exceptions import RedisError

QUEUE = "embed"
EMBED_DUE = "embed_due"
BUILD_INDEXES = "build_indexes"
# Under a flood of saves one ring in this time is enough; the last one of a burst is never left out.
_QUIET_SECONDS = 0.05

log = structlog.get_logger(__name__)


def ring(actor: str = EMBED_DUE) -> None:
    """Sends one wake-up to an actor. A broker that is down is logged, not raised: the sweep rings later."""
    broker = dramatiq.get_broker()
    message = dramatiq.Message[Any](queue_name=QUEUE, actor_name=actor, args=(), kwargs={"v": 1}, options={})
    try:
        broker.enqueue(message)
    except (DramatiqError, RedisError, OSError) as error:
        log.warning("wake-up not sent; the sweep will ring", error=type(error).__name__)


class Doorbell:
    """Lets the first ring of a burst through at once and the last one a moment later."""

    def __init__(self, quiet_seconds: float = _QUIET_SECONDS) -> None:
        self._quiet = quiet_seconds
        self._lock = threading.Lock()
        self._rung_at = float("-inf")
        self._timer: threading.Timer | None = None

    def ring(self) -> None:
        with self._lock:
            wait = self._rung_at + self._quiet - time.monotonic()
            if wait > 0:
                if self._timer is None:
                    self._timer = threading.Timer(wait, self._ring_late)
                    self._timer.start()
                return
            self._rung_at = time.monotonic()
        ring()

    def _ring_late(self) -> None:
        with self._lock:
            self._timer = None
            self._rung_at = time.monotonic()
        ring()


_doorbell = Doorbell()


def ring_after_commit(**_: Any) -> None:
    """Listens to tasks_ready."""
    transaction.on_commit(_doorbell.ring, robust=True)
