"""The claims in execution in this process, and the thread that renews their leases."""

import contextlib
import threading
import time
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction

from queueops.base import database_refusals
from queueops.engine import settle_retry
from queueops.engine.execution import deadline_seconds
from queueops.engine.table_lock_pause import locked_out
from queueops.models import Metric

# A batch ends within the provider's deadline plus its own work in the database, which may wait for locks or for a
# server restart. A batch that runs longer hangs, and must lose its tasks to other workers.
_SLACK_SECONDS = 60.0
_RENEWALS_PER_LEASE = 3  # one may be missed
# After a database outage, living workers must be quicker than the first sweep.
_RETRY_SECONDS = 1.0

log = structlog.get_logger(__name__)


def longest_seconds() -> float:
    """Seconds after its claim for which a batch's lease is renewed."""
    return deadline_seconds() + _SLACK_SECONDS


@dataclass(slots=True)
class _Held:
    since: float
    is_missing: bool = False


@dataclass(frozen=True)
class Beat:
    """The result of one renewal, in claims: renewed, lost (no task left), abandoned (hung)."""

    renewed: int = 0
    lost: int = 0
    abandoned: int = 0


class Register:
    """The claims in execution, by token; safe for any thread."""

    def __init__(self) -> None:
        self._claims: dict[uuid.UUID, _Held] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def holding(self, token: uuid.UUID) -> Iterator[None]:
        """Renews the claim's lease as long as this context lasts."""
        with self._lock:
            self._claims[token] = _Held(time.monotonic())
        try:
            yield
        finally:
            with self._lock:
                self._claims.pop(token, None)

    def tokens(self) -> list[uuid.UUID]:
        """The claims whose leases to renew."""
        with self._lock:
            return list(self._claims)

    def abandon(self, longest: float) -> int:
        """Forgets claims that were taken more than `longest` seconds ago; returns how many."""
        oldest = time.monotonic() - longest
        with self._lock:
            hung = [token for token, held in self._claims.items() if held.since < oldest]
            for token in hung:
                del self._claims[token]
        return len(hung)

    def note_missing(self, asked: Collection[uuid.UUID], found: Collection[uuid.UUID]) -> int:
        """Forgets claims that had no task left at two renewals in a row; returns how many.

        At the first, the batch may just have been settled, with its thread about to leave `holding`.
        """
        lost = 0
        with self._lock:
            for token in asked:
                if token in found or (held := self._claims.get(token)) is None:
                    continue
                if held.is_missing:
                    del self._claims[token]
                    lost += 1
                held.is_missing = True
        return lost


# Rows are locked in the order of a settle and skipped if locked: a batch that is being settled needs no lease. The
# token fences: tasks returned, cancelled or changed by hand since the claim are not touched. A lease that has ended but
# was not returned yet is renewed, since the token is still valid. A locked table is waited for without limit, and the
# lease counts from then on.
_RENEW = """
WITH held AS (
    SELECT id FROM embedding_tasks
    WHERE status = 'processing' AND claim_token = ANY(%(tokens)s)
    ORDER BY id
    FOR UPDATE SKIP LOCKED
), renewed AS (
    UPDATE embedding_tasks t SET lease_expires_at = clock_timestamp() + %(lease)s
    FROM held WHERE t.id = held.id
)
SELECT DISTINCT claim_token FROM embedding_tasks WHERE status = 'processing' AND claim_token = ANY(%(tokens)s)
"""


def renew(tokens: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Gives the tasks of these claims a full lease from now; returns the claims that still hold a task."""
    arguments: dict[str, Any] = {
        "tokens": list(tokens),
        "lease": timedelta(milliseconds=settings.EMBEDDING_WORKER_TIMEOUT),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = 0")
        cursor.execute(_RENEW, arguments)
        return {token for (token,) in cursor.fetchall()}


class LeaseRenewer:
    """Renews leases in a thread of its own, so that neither a long sweep nor a long batch costs a lease."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_failing = False

    def start(self, **_: Any) -> None:
        """Listens to worker_booted."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="lease renewer", daemon=True)
        self._thread.start()

    def stop(self, **_: Any) -> None:
        """Listens to worker_stopped: until then batches may still be running."""
        self._stop.set()
        if self._thread:
            self._thread.join(timeout=1)

    def beat(self) -> Beat:
        """Renews all leases; hung or lost claims are logged, counted, and not renewed any more."""
        abandoned = self._register.abandon(longest_seconds())
        tokens = self._register.tokens()
        found = renew(tokens) if tokens else set()
        beat = Beat(len(found), self._register.note_missing(tokens, found), abandoned)
        if beat.abandoned:
            log.error("batches hang; their tasks are returned when their leases end", batches=beat.abandoned)
        if beat.lost:
            log.warning("batches lost their tasks; their results are discarded", batches=beat.lost)
        numbers = {"leases_lost": beat.lost, "leases_abandoned": beat.abandoned}
        Metric.objects.bulk_create(Metric(name=k, value=float(v)) for k, v in numbers.items() if v)
        return beat

    def _run(self) -> None:
        interval = settings.EMBEDDING_WORKER_TIMEOUT / 1000 / _RENEWALS_PER_LEASE
        quick = min(_RETRY_SECONDS, interval / 4)
        while not self._stop.wait(quick if self._is_failing or settle_retry.owed else interval):
            try:
                self.beat()
                if given := settle_retry.give_back_owed():
                    log.warning("tasks requeued that the database refused before", tasks=given)
                self._is_failing = False
            except (DatabaseError, InterfaceError) as error:
                if not locked_out.note(error) and not self._is_failing:
                    log.warning("leases not renewed; retrying", reason=str(database_refusals.of(error)))
                self._is_failing = True
            except Exception:  # without this thread every long batch would lose its tasks
                log.exception("leases not renewed")
            finally:
                connection.close()


in_execution = Register()
lease_renewer = LeaseRenewer(in_execution)
