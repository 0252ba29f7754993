"""What the threads of a worker process hold: claims beside each other, or one claim with nothing beside it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOOK_SECONDS = 0.5


class ExclusiveClaims:
    """Threads that claim beside others, and one at a time that must be the only one. While that one waits, nobody
    begins anything new. What has been held for longer than `longest()` seconds hangs, and its tasks are others': it
    counts no more. Both contexts yield False where the process stops before their turn comes."""

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
            self._let_go(mine)

    @contextmanager
    def only(self, is_stopping: Callable[[], bool]) -> Iterator[bool]:
        """For what must have nothing beside it, once everything else has been let go of."""
        mine = object()
        with self._changed:
            may_begin = self._wait(lambda: not self._has_only(), is_stopping)
            if may_begin:
                self._only = (mine, time.monotonic())
                may_begin = self._wait(lambda: not self._holds(), is_stopping)
        try:
            yield may_begin
        finally:
            self._let_go(mine)

    def renew(self) -> None:
        """The only one goes on with another claim."""
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

    def _let_go(self, mine: object) -> None:
        with self._changed:
            self._held.pop(mine, None)
            if self._only and self._only[0] is mine:
                self._only = None
            self._changed.notify_all()
