"""Limits log lines caused by clients and a failing broker: one line each, so many per minute, and no text that forges
another line."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from dramatiq.errors import BrokerConnectionError
from redis.exceptions import RedisError

from lib.visible_text import one_line, visible

A_MINUTE = 10
_WINDOW_SECONDS = 60.0
_LONGEST = 300
_OF_CLIENTS = (SuspiciousOperation, BadRequest, UnreadablePostError, MultiPartParserError)

# Between two lines of one kind from one process while the broker fails: at first, then twice as long each time.
_LEAST_SECONDS, _MOST_SECONDS = 60.0, 3_600.0
# After so long without one the next is a change of state again, and a line at once.
_QUIET_SECONDS = 300.0
# Log events of Dramatiq's consumers and our own loops while the broker fails or when it is back.
WHILE_THE_BROKER_FAILS = (
    "Consumer encountered a",
    "Restarting consumer",
    "Found 'None' message",  # a forged number of a message in the queue
    "Failed to post_process_message",
    "Failed to requeue messages",
    "wake-up not sent",
    "wake-ups are sent again",
    "the broker accepts no wake-ups",
    "keys of a wrong type removed",
    "query cache unavailable",
    "Redis does not answer",
    "Redis refuses to count",
)


class _Windows:
    """Counts kinds of lines; `at_most` of each pass per minute."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, ...], tuple[float, int]] = {}

    def count(self, *kind: str) -> tuple[bool, int]:
        """Whether one more passes, and how many were dropped in the minute before."""
        with self._lock:
            now = time.monotonic()
            began, count = self._windows.get(kind, (float("-inf"), 0))
            if now - began >= _WINDOW_SECONDS:
                self._windows[kind] = (now, 1)
                return True, max(0, count - self._at_most)
            self._windows[kind] = (began, count + 1)
            return count < self._at_most, 0


@dataclass
class _Kind:
    """Of one kind of lines: the time of the last, from when on the next passes, and how many were dropped since."""

    last: float
    next: float
    seconds: float = _LEAST_SECONDS
    left_out: int = 0


class _Growing:
    """Lets the first line of a kind through at once, and while more come, one after ever longer times."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: dict[tuple[str, ...], _Kind] = {}

    def count(self, *kind: str) -> tuple[bool, int]:
        """Whether this one passes, and how many were dropped since the one before."""
        with self._lock:
            now = self._clock()
            known = self._kinds.get(kind)
            if known is None or now - known.last > _QUIET_SECONDS:
                self._kinds[kind] = _Kind(now, now + _LEAST_SECONDS)
                return True, known.left_out if known else 0
            known.last = now
            if now < known.next:
                known.left_out += 1
                return False, 0
            left_out, known.left_out = known.left_out, 0
            known.seconds = min(2 * known.seconds, _MOST_SECONDS)
            known.next = now + known.seconds
            return True, left_out


class RefusedRequests(logging.Filter):
    """Lets through a line for each request that was refused for what it holds, A_MINUTE of each kind in each process,
    without the stack trace: it shows Django's code, and a wrong Host header needs none."""

    def __init__(self) -> None:
        super().__init__()
        self._windows = _Windows(A_MINUTE)

    def filter(self, record: logging.LogRecord) -> bool:
        if not _is_of_a_client(record):
            return True
        record.exc_info = record.exc_text = record.stack_info = None
        is_let_through, left_out = self._windows.count(record.name)
        record.msg, record.args = record.getMessage()[:_LONGEST] + _more(left_out), ()
        return is_let_through


class BrokerFailures(logging.Filter):
    """Passes a line for each new kind of failure of the broker, then one after a minute, two, four
    and so on per process, without the stack trace: it shows Dramatiq's code, once a second for each consumer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._kinds = _Growing(clock)

    def filter(self, record: logging.LogRecord) -> bool:
        error = _error_of_the_broker(record)
        event = (
            record.msg.get("event", "") if isinstance(record.msg, dict) else record.msg
        )  # structlog gives a dict
        begins = next((words for words in WHILE_THE_BROKER_FAILS if str(event).startswith(words)), "")
        if not begins and error is None:
            return True
        is_let_through, left_out = self._kinds.count(begins or record.name, _kind(record, error))
        if not is_let_through:
            return False
        if isinstance(record.msg, dict):
            record.msg |= {"event": f"{event}{_more(left_out)}"}
            return True
        record.exc_info = record.exc_text = record.stack_info = None
        said = f" {type(error).__name__}: {error}" if error else ""
        record.msg, record.args = (record.getMessage() + said)[:_LONGEST] + _more(left_out), ()
        return True


def _kind(record: logging.LogRecord, error: Exception | None) -> str:
    """A new value of this is logged at once: the class of the error."""
    if isinstance(record.msg, dict):
        return str(record.msg.get("error", ""))
    if error:
        return type(error).__name__
    causes = record.args if isinstance(record.args, tuple) else ()
    closed = next((each for each in causes if isinstance(each, Exception)), None)
    return (
        type(closed.__context__ or closed).__name__ if closed else ""
    )  # Dramatiq wraps what the client raised


def _error_of_the_broker(record: logging.LogRecord) -> Exception | None:
    error = record.exc_info[1] if record.exc_info else None
    if record.name.startswith("dramatiq.") and isinstance(error, RedisError | BrokerConnectionError):
        return error
    return None


def _more(left_out: int) -> str:
    return f" ({left_out:,} more of this kind were not logged)" if left_out else ""


def _is_of_a_client(record: logging.LogRecord) -> bool:
    kind = record.exc_info[0] if record.exc_info else None
    return record.name.startswith("django.security.") or (kind is not None and issubclass(kind, _OF_CLIENTS))


def unforgeable(logger: Any, name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A processor before the renderer: each text on one line with what it hides written out; stack traces, whose last
    line may quote anything, set in from the margin."""
    if event.get("exc_info"):
        event = structlog.processors.format_exc_info(logger, name, event)
    for key, value in event.items():
        if key in {"exception", "stack"} and isinstance(value, str):
            event[key] = "\n".join(f"    {visible(line)}" for line in value.splitlines())
        elif isinstance(value, str):
            event[key] = one_line(value)
        elif (said := repr(value)) != (shown := one_line(said)):
            event[key] = shown
    return event
