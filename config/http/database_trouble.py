"""The reply if the database is locked, slow, busy or away: the reason, and when to retry."""

import threading
import time
from dataclasses import dataclass

import psycopg
import structlog
from django.db import InterfaceError, OperationalError
from django.db.utils import DatabaseError
from django.http import HttpResponse
from psycopg_pool import PoolTimeout

from config.lock_waits import lock_waits
from lib.database_errors import CANCELLED, DEADLOCK, LOCKED, sqlstate

RETRY_SECONDS = 5
_SECONDS_BETWEEN_LINES = 10.0
_OF_SESSIONS = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
_LOCKED = "the database is locked: another session holds what this request needs"
_DETAILS = {
    LOCKED: _LOCKED,
    DEADLOCK: _LOCKED,
    CANCELLED: "the database did not finish a statement of this request in its time",
}
_BUSY = "all connections of this process to the database are in use"
_AWAY = "the database does not answer"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Trouble:
    """`detail` is for the client, without a period."""

    detail: str
    sqlstate: str
    retry_after: int = RETRY_SECONDS

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the reply, whose status is 503."""
        return {"Retry-After": str(self.retry_after)}


def of(error: BaseException | None) -> Trouble | None:
    """The trouble that an error comes from; None for every other error, a statement that is wrong among them."""
    if not isinstance(error, (DatabaseError, psycopg.Error, InterfaceError)):
        return None
    state = sqlstate(error)
    if state in _DETAILS:
        return Trouble(f"{_DETAILS[state]}; try again in {RETRY_SECONDS} s", state)
    if isinstance(error, PoolTimeout) or isinstance(error.__cause__, PoolTimeout):
        return Trouble(f"{_BUSY}; try again in {RETRY_SECONDS} s", state)
    if isinstance(error, _OF_SESSIONS):
        return Trouble(f"{_AWAY}; try again in a moment", state)
    return None


def without_a_line[T: HttpResponse](response: T) -> T:
    """The reply, marked as logged for Django, which would write a line and a stack trace for each."""
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


class Noticed:
    """Logs database trouble: a line per new kind, then one every ten seconds with the number of requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def note(self, trouble: Trouble) -> None:
        """Called once for each request that is refused for it."""
        if trouble.sqlstate == LOCKED:
            lock_waits.shorten()
        with self._lock:
            now, kind = time.monotonic(), trouble.detail
            self._unsaid[kind] = self._unsaid.get(kind, 0) + 1
            if now - self._last.get(kind, float("-inf")) < _SECONDS_BETWEEN_LINES:
                return
            self._last[kind], requests = now, self._unsaid.pop(kind)
        log.error(f"refused with 503: {kind.partition(';')[0]}", sqlstate=trouble.sqlstate, requests=requests)


noticed = Noticed()
