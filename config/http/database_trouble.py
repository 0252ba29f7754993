"""The reply if the database is locked, slow, busy, away or refuses: the reason, and when to retry."""

import threading
import time
from dataclasses import dataclass
from functools import cache

import psycopg
import structlog
from django.apps import apps
from django.db import InterfaceError, OperationalError
from django.db.models import PositiveBigIntegerField, PositiveIntegerField, PositiveSmallIntegerField
from django.db.utils import DatabaseError
from django.http import HttpResponse
from psycopg_pool import PoolTimeout

from config.lock_waits import lock_waits
from lib.database_errors import CANCELLED, DEADLOCK, LOCKED
from queueops.base import database_refusals
from queueops.base.database_refusals import Blame, Refusal
from queueops.operate.checks.schema import CONSTRAINTS_BY_SQL

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
_READ_ONLY, _NO_PRIVILEGE, _CHECK = "25006", "42501", "23514"  # SQLSTATEs
_REFUSALS = {_READ_ONLY: "the database is read-only", "53100": "the database has no space left"}
# Statements that are wrong or come too late in their transaction: faults of ours, not of the server.
_WRONG_STATEMENTS = ("25", "42")
_POSITIVE = (PositiveBigIntegerField, PositiveIntegerField, PositiveSmallIntegerField)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Trouble:
    """`detail` is for the client, without a period; `message` is the server's, for the log."""

    detail: str
    sqlstate: str
    retry_after: int = RETRY_SECONDS
    message: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the reply, whose status is 503."""
        return {"Retry-After": str(self.retry_after)}


def of(error: BaseException | None) -> Trouble | None:
    """The trouble that an error comes from; None for every other error, a statement that is wrong among them."""
    if not isinstance(error, (DatabaseError, psycopg.Error, InterfaceError)):
        return None
    refusal = database_refusals.of(error)
    state = refusal.sqlstate
    if state in _DETAILS:
        return Trouble(f"{_DETAILS[state]}; try again in {RETRY_SECONDS} s", state)
    if isinstance(error, PoolTimeout) or isinstance(error.__cause__, PoolTimeout):
        return Trouble(f"{_BUSY}; try again in {RETRY_SECONDS} s", state)
    if refusal.blame is Blame.CONNECTION:
        return Trouble(f"{_AWAY}; try again in a moment", state)
    if state and _is_of_the_server(error, refusal):
        says = _REFUSALS.get(state, f"the database refuses this request (SQLSTATE {refusal.reason})")
        return Trouble(f"{says}; try again in a moment", state, message=refusal.message)
    return None


def _is_of_the_server(error: BaseException, refusal: Refusal) -> bool:
    """Whether the server or a stranger's object in it refuses, whatever the request holds."""
    if refusal.sqlstate in {_READ_ONLY, _NO_PRIVILEGE}:
        return True
    if refusal.sqlstate == _CHECK:
        return _constraint(error) not in _own_checks()
    if refusal.sqlstate.startswith(_WRONG_STATEMENTS):
        return False
    return refusal.blame is Blame.DATABASE or isinstance(error, _OF_SESSIONS)


def _constraint(error: BaseException) -> str:
    """The constraint that the server names; empty if a trigger raised the error."""
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    return (cause.diag.constraint_name or "") if isinstance(cause, psycopg.Error) else ""


@cache
def _own_checks() -> frozenset[str]:
    """The check constraints of all models: those declared, those that migrations make in SQL, and those of positive
    numbers by the server's own naming."""
    models = apps.get_models(include_auto_created=True)
    declared = {each.name for model in models for each in model._meta.constraints}
    positive = {
        f"{model._meta.db_table}_{field.column}_check"
        for model in models
        for field in model._meta.local_concrete_fields
        if isinstance(field, _POSITIVE)
    }
    by_sql = {name for names in CONSTRAINTS_BY_SQL.values() for name in names}
    return frozenset(declared | positive | by_sql)


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
        said = {"message": trouble.message} if trouble.message else {}
        log.error(
            f"refused with 503: {kind.partition(';')[0]}",
            sqlstate=trouble.sqlstate,
            requests=requests,
            **said,
        )


noticed = Noticed()
