"""What strangers can make us log: one line each, so many a minute, and nothing in it that forges another line."""

import logging
import threading
import time
from typing import Any

import structlog
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import UnreadablePostError
from django.http.multipartparser import MultiPartParserError

from lib.visible import one_line, visible

A_MINUTE = 10
_WINDOW_SECONDS = 60.0
_LONGEST = 300
_OF_CLIENTS = (SuspiciousOperation, BadRequest, UnreadablePostError, MultiPartParserError)


class RefusedRequests(logging.Filter):
    """Lets through a line for each request that was refused for what it holds, A_MINUTE of each kind in each process,
    without the stack trace: it shows Django's code, and a wrong Host header is no news."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not _is_of_a_client(record):
            return True
        record.exc_info = record.exc_text = record.stack_info = None
        is_let_through, left_out = self._count(record.name)
        more = f" ({left_out:,} more of this kind were not logged)" if left_out else ""
        record.msg, record.args = record.getMessage()[:_LONGEST] + more, ()
        return is_let_through

    def _count(self, kind: str) -> tuple[bool, int]:
        """Whether one more is let through, and how many were not in the minute before."""
        with self._lock:
            now = time.monotonic()
            began, count = self._windows.get(kind, (float("-inf"), 0))
            if now - began >= _WINDOW_SECONDS:
                self._windows[kind] = (now, 1)
                return True, max(0, count - A_MINUTE)
            self._windows[kind] = (began, count + 1)
            return count < A_MINUTE, 0


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
