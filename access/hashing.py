"""Limits concurrent password hashes: each takes half a second of a core that other threads need."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from access.attempts import TooManyAttempts

AT_ONCE = 2
_MAY_WAIT = 2
_PATIENCE_SECONDS = 2.0

_entered = threading.BoundedSemaphore(AT_ONCE + _MAY_WAIT)
_hashing = threading.BoundedSemaphore(AT_ONCE)


@contextmanager
def slot() -> Iterator[None]:
    """A slot for one hash. Waits two seconds at most, and not at all behind two others: a waiting thread serves no
    request.

    Raises TooManyAttempts.
    """
    if not _entered.acquire(blocking=False):
        raise TooManyAttempts(_PATIENCE_SECONDS)
    try:
        if not _hashing.acquire(timeout=_PATIENCE_SECONDS):
            raise TooManyAttempts(_PATIENCE_SECONDS)
        try:
            yield
        finally:
            _hashing.release()
    finally:
        _entered.release()
