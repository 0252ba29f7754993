"""Shared and exclusive claims of the threads in a worker process."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOOK_SECONDS = 0.5


class ExclusiveClaims:
    """Threads claim beside others, or one at a time exclusively; while that one waits, no other starts a claim. A claim
    held for longer than `longest()` seconds hangs and has lost its tasks, so it does not count. Both contexts yield
    False if the process stops before their turn."""

    def __init__(self, longest: Callable[[], float]) -> None:
        self._longest = longest
        self._changed = threading.Condition()
        self._held: dict[object, float] = {}
        self._only: tuple[object, float] | None = None

    @contextmanager
    def beside_others(self, is_stopping: Callable[[], bool]) -> Iterator[bool]:
        """For a claim and its execution."""
        mine = object()
        with self._changed:
            may_begin = self._wait(lambda: not self._has_only(), is_stopping)
            if may_begin:
                self._held[mine] = time.monotonic()
        try:
            yield may_begin
        finally:
            self._release(mine)

    @contextmanager
    def only(self, is_stopping: Callable[[], bool]) -> Iterator[bool]:
        """For a claim that must be the only one; waits until all others have ended."""
        mine = object()
        with self._changed:
            may_begin = self._wait(lambda: not self._has_only(), is_stopping)
            if may_begin:
                self._only = (mine, time.monotonic())
                may_begin = self._wait(lambda: not self._holds(), is_stopping)
        try:
            yield may_begin
        finally:
            self._release(mine)

    def renew(self) -> None:
        """The exclusive thread continues with another claim."""
        with self._changed:
            if self._only:
                self._only = (self._only[0], time.monotonic())

    def _wait(self, condition: Callable[[], bool], is_stopping: Callable[[], bool]) -> bool:
        while not condition():
            if is_stopping():
                return False
            self._changed.wait(_LOOK_SECONDS)
        return True

    def _has_only(self) -> bool:
        return self._only is not None and self._is_fresh(self._only[1])

    def _holds(self) -> bool:
        return any(self._is_fresh(since) for since in self._held.values())

    def _is_fresh(self, since: float) -> bool:
        return time.monotonic() - since < self._longest()

    def _release(self, mine: object) -> None:
        with self._changed:
            self._held.pop(mine, None)
            if self._only and self._only[0] is mine:
                self._only = None
            self._changed.notify_all()
