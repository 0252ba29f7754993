"""The doorbell: sends a wake-up to the workers once the transaction that created tasks has committed. A lost wake-up
costs one sweep, never a task."""

import threading
import time
from collections.abc import Callable
from typing import Any

import dramatiq
import structlog
from django.db import transaction
from dramatiq.errors import DramatiqError
from redis.exceptions import RedisError

from queueops.base import failpoints

QUEUE = "vectorpress.embed"
EMBED_DUE = "embed_due"
BUILD_INDEXES = "build_indexes"
ACTORS = frozenset({EMBED_DUE, BUILD_INDEXES})
# During a burst of saves one wake-up per this interval is enough; the last one of a burst is always sent. As long as
# the burst lasts the interval doubles up to the maximum: larger batches slow concurrent saves less.
_QUIET_SECONDS = 0.05
_QUIET_AT_MOST = 1.0

log = structlog.get_logger(__name__)
_failing = threading.Event()  # set while wake-ups of this process fail


def ring(actor: str = EMBED_DUE) -> None:
    """Sends one wake-up to an actor. A broker that is down is logged, not raised: the sweep sends one later."""
    broker = dramatiq.get_broker()
    message = dramatiq.Message[Any](queue_name=QUEUE, actor_name=actor, args=(), kwargs={"v": 1}, options={})
    try:
        broker.enqueue(message)
    except (DramatiqError, RedisError, OSError) as error:
        _failing.set()
        log.warning("wake-up not sent; the sweep will send one", error=type(error).__name__)
        return
    if _failing.is_set():
        _failing.clear()
        log.warning("wake-ups are sent again")


class Doorbell:
    """Sends the first wake-up of a burst at once and the last one a moment later; in between, ever fewer.

    They are sent from a thread that lives as long as the burst: a save never waits for the broker, which may respond
    slowly or not at all.
    """

    def __init__(
        self,
        send: Callable[[], object],
        quiet_seconds: float = _QUIET_SECONDS,
        at_most: float = _QUIET_AT_MOST,
    ) -> None:
        self._send = send
        self._least, self._most = quiet_seconds, at_most
        self.quiet_seconds = quiet_seconds
        self._lock = threading.Lock()
        self._rung_at = float("-inf")
        self._is_wanted = False
        self._ringer: threading.Thread | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether a wake-up is being sent, or held back until the quiet time is over."""
        return self._ringer is not None and self._ringer.is_alive()

    def ring(self) -> None:
        with self._lock:
            self._is_wanted = True
            if not self.is_waiting:  # in a fork the parent's thread does not run
                self._ringer = threading.Thread(target=self._ring_wanted, name="doorbell")
                self._ringer.start()

    def _ring_wanted(self) -> None:
        while self._is_wanted_still():
            wait = self._rung_at + self.quiet_seconds - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            self.quiet_seconds = min(2 * self.quiet_seconds, self._most) if wait > 0 else self._least
            self._rung_at, self._is_wanted = (
                time.monotonic(),
                False,
            )  # a ring from here on needs another wake-up
            self._send()

    def _is_wanted_still(self) -> bool:
        with self._lock:
            if not self._is_wanted:
                self._ringer = None
            return self._is_wanted


_doorbell = Doorbell(ring)


def ring_after_commit(**_: Any) -> None:
    """Listens to tasks_ready."""
    transaction.on_commit(_ring_committed, robust=True)


def _ring_committed() -> None:
    failpoints.reach("enqueue_committed")
    _doorbell.ring()
