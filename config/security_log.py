"""Writes who signed in, failed to, or was blocked into the audit log, and what became of second factors and sessions.

A client that is not signed in causes a bounded number of rows: the guard announces the first failure of a caller and
the beginning of a block, and each process writes at most ROWS_PER_HOUR of those. It writes as many of right passwords
before the code and of sign-ins through a proxy: one a minute for a name and address.
"""

import threading
import time
from collections import OrderedDict
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import DatabaseError, transaction
from django.http import HttpRequest

from access import signals
from access.attempts import address_of
from access.sessions import printable
from queueops.base import installed
from queueops.cli.frame.console import login_name
from queueops.models import AuditLog, Category, Level

CATEGORY = Category.ACCESS
ROWS_PER_HOUR = 300
_NAME_LENGTH = 150
_REPEATS_SECONDS = 60.0
_REPEATS_HELD = 1_000
_PROXY = "proxy header"
_DOORS = {"password": "sign-in", "code": "second factor", "token": "API token"}

log = structlog.get_logger(__name__)


class HourlyBudget:
    """Rows that clients who are not signed in may still cause in this hour."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._hour, self._spent = -1, 0

    def spend(self) -> int:
        """The rest before this row: 1 is the last, 0 is none."""
        with self._lock:
            hour = int(time.monotonic() // 3_600)
            if hour != self._hour:
                self._hour, self._spent = hour, 0
            self._spent = min(self._spent + 1, self._most + 1)
            return self._most + 1 - self._spent


class Repeats:
    """Events that were written a moment ago; `_REPEATS_HELD` of them, those not repeated for longest go first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def has(self, *event: str) -> bool:
        """Whether the event is a repetition within a minute of one that was written."""
        now = time.monotonic()
        with self._lock:
            if self._until.get(event, now) > now:
                return True
            self._until[event] = now + _REPEATS_SECONDS
            self._until.move_to_end(event)
            while len(self._until) > _REPEATS_HELD:
                self._until.popitem(last=False)
            return False


_budget = HourlyBudget(ROWS_PER_HOUR)
# separate, so that failures from everywhere do not hide a right password
_budget_of_known = HourlyBudget(ROWS_PER_HOUR)
_repeats = Repeats()


def connect() -> None:
    """Listens to Django's and to our own signals."""
    user_logged_in.connect(_signed_in)
    user_logged_out.connect(_signed_out)
    signals.attempt_failed.connect(_failed)
    signals.attempts_blocked.connect(_blocked)
    signals.code_asked.connect(_code_asked)
    signals.second_factor_changed.connect(_second_factor_changed)
    signals.sessions_ended.connect(_sessions_ended)
    signals.blocks_ended.connect(_blocks_ended)


def _signed_in(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    name, address, backend = user.get_username(), address_of(request), _backend(user)
    if not address:  # no person, but a program of ours
        return
    factor = "second factor" if getattr(user, "otp_device", None) else ""
    if backend != _PROXY:
        _write("signed in", name=name, address=address, backend=backend, factor=factor)
    elif not _repeats.has("signed in", name, address):  # who sends no cookies signs in with each request
        _write_within(_budget_of_known, "signed in", name=name, address=address, backend=backend)


def _code_asked(sender: Any, name: str, address: str, **_: Any) -> None:
    message = "password right, second factor asked"
    if not _repeats.has(message, name, address):
        _write_within(_budget_of_known, message, name=name, address=address)


def _signed_out(sender: Any, request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None and (address := address_of(request)):
        _write("signed out", name=user.get_username(), address=address)


def _failed(sender: Any, door: str, name: str, address: str, **_: Any) -> None:
    _write_within(_budget, f"{_DOORS[door]} failed", level=Level.WARNING, name=name, address=address)


def _blocked(
    sender: Any, door: str, name: str, address: str, limited_by: str, failures: int, seconds: int, **_: Any
) -> None:
    message = f"{_DOORS[door]} blocked after {failures} failures by {limited_by}"
    _write_within(_budget, message, level=Level.WARNING, name=name, address=address, failures=failures)


def _second_factor_changed(
    sender: Any, name: str, address: str, change: str, whose: str, reason: str, **_: Any
) -> None:
    level = Level.INFO if change == "added" else Level.WARNING
    message = f"second factor: {change}" if change in {"added", "removed"} else change
    _write(message, level=level, name=name or login_name(), address=address, whose=whose, reason=reason)


def _sessions_ended(
    sender: Any, name: str, address: str, whose: str, count: int, reason: str, **_: Any
) -> None:
    _write(
        "sessions ended", name=name or login_name(), address=address, whose=whose, count=count, reason=reason
    )


def _write_within(budget: HourlyBudget, message: str, **details: Any) -> None:
    """As `_write`, within the budget; one more row reports that it is spent."""
    left = budget.spend()
    if left:
        _write(message, **details)
    if left == 1:
        said = "further rows like the last one are not written in this hour"
        _write(f"{said}: {ROWS_PER_HOUR} were", level=Level.WARNING)


def _blocks_ended(sender: Any, name: str, whose: str, count: int, reason: str, **_: Any) -> None:
    _write("blocks ended", name=name or login_name(), whose=whose, count=count, reason=reason)


def _write(message: str, *, level: Level = Level.INFO, name: str = "", **details: Any) -> None:
    """A row and a line of the log. A database that refuses the row does not keep anybody from signing in or out."""
    actor = printable(name, _NAME_LENGTH)
    known = {key: printable(str(value), 500) for key, value in details.items() if value}
    log.info(message, actor=actor, **known)
    try:
        if installed.is_there():
            with transaction.atomic():
                AuditLog.write_event(message, category=CATEGORY, level=level, actor=actor, details=known)
    except DatabaseError as error:
        log.error("an audit row could not be written", audit_message=message, error=type(error).__name__)


def _backend(user: User) -> str:
    return _PROXY if "ProxyUser" in getattr(user, "backend", "") else "password"
