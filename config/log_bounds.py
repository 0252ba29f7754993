"""What strangers and a failing broker can make us log: one line each, so many a minute, and nothing in it that forges
another line."""

import logging
import threading
import time
from typing import Any

import structlog
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from redis.exceptions import RedisError

from lib.visible import one_line, visible

A_MINUTE = 10
_WINDOW_SECONDS = 60.0
_LONGEST = 300
_OF_CLIENTS = (SuspiciousOperation, BadRequest, UnreadablePostError, MultiPartParserError)

# What the loops of Dramatiq's consumers and our own beside them say each time, while the broker fails.
_WHILE_THE_BROKER_FAILS = (
    "Consumer encountered a",
    "Restarting consumer",
    "Found 'None' message",  # a forged number of a message in the queue
    "Failed to post_process_message",
    "wake-up not sent",
    "the broker takes no rings",
    "keys of a wrong type removed",
)


class _Windows:
    """Counts kinds of lines; `at_most` of each are let through in a minute."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, ...], tuple[float, int]] = {}

    def count(self, *kind: str) -> tuple[bool, int]:
        """Whether one more is let through, and how many were not in the minute before."""
        with self._lock:
            now = time.monotonic()
            began, count = self._windows.get(kind, (float("-inf"), 0))
            if now - began >= _WINDOW_SECONDS:
                self._windows[kind] = (now, 1)
                return True, max(0, count - self._at_most)
            self._windows[kind] = (began, count + 1)
            return count < self._at_most, 0


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
    """Lets through a line for each new kind of failure of the broker, then one a minute in each process, without the
    stack trace: it shows Dramatiq's code, once a second for each consumer."""

    def __init__(self) -> None:
        super().__init__()
        self._windows = _Windows(1)

    def filter(self, record: logging.LogRecord) -> bool:
        error = _error_of_the_broker(record)
        event = (
            record.msg.get("event", "") if isinstance(record.msg, dict) else record.msg
        )  # structlog gives a dict
        begins = next((words for words in _WHILE_THE_BROKER_FAILS if str(event).startswith(words)), "")
        if not begins and error is None:
            return True
        is_let_through, left_out = self._windows.count(begins or record.name, _kind(record, error))
        if not is_let_through:
            return False
        if isinstance(record.msg, dict):
            record.msg |= {"event": f"{event}{_more(left_out)}"}
            return True
        record.exc_info = record.exc_text = record.stack_info = None
        said = f" {type(error).__name__}: {error}" if error else ""
        record.msg, record.args = (record.getMessage() + said)[:_LONGEST] + _more(left_out), ()
        return True


def _kind(record: logging.LogRecord, error: RedisError | None) -> str:
    """What a change of is worth a line at once: the class of the error."""
    if isinstance(record.msg, dict):
        return str(record.msg.get("error", ""))
    if error:
        return type(error).__name__
    causes = record.args if isinstance(record.args, tuple) else ()
    closed = next((each for each in causes if isinstance(each, Exception)), None)
    return (
        type(closed.__context__ or closed).__name__ if closed else ""
    )  # Dramatiq wraps what the client raised


def _error_of_the_broker(record: logging.LogRecord) -> RedisError | None:
    error = record.exc_info[1] if record.exc_info else None
    return error if record.name.startswith("dramatiq.") and isinstance(error, RedisError) else None


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
