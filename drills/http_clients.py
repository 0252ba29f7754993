"""Clients that use the site during a drill: they save, search, open pages and request health."""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks.tools.stack import TOKEN

_TIMEOUT_SECONDS = 30.0
_HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


class Reply(NamedTuple):
    """A request and what came of it; status 0: nothing did. `asked` is a time of time.monotonic."""

    path: str
    status: int
    seconds: float
    asked: float
    is_bare: bool
    """503 that does not say when to try again."""
    body: str = ""


class Clients:
    """Some threads, each asking one thing again and again; `refused` are titles of articles that were not taken."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._lock = threading.Lock()
        self._replies: list[Reply] = []
        self._stop = threading.Event()
        self._numbers = itertools.count()
        self.refused: list[str] = []

    @contextmanager
    def busy(self) -> Iterator[None]:
        """They ask as long as the context lasts."""
        rounds: list[tuple[Callable[[], object], float]] = [
            (self._save, 0.06),
            (self._save, 0.06),
            (self._search, 0.1),
            (self._search, 0.1),
            (lambda: self._ask("GET", "/health"), 0.3),
            (lambda: self._ask("GET", "/admin/login/"), 0.5),
            (lambda: self._ask("GET", "/search?q=water&mode=keyword"), 0.5),
        ]
        threads = [threading.Thread(target=self._repeat, args=each, daemon=True) for each in rounds]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(_TIMEOUT_SECONDS)

    def new_replies(self) -> list[Reply]:
        """The replies since the last call."""
        with self._lock:
            found, self._replies = self._replies, []
        return found

    def has_warmed_up(self, searches: int) -> bool:
        """Whether so many searches were answered since the last call of `new_replies`."""
        with self._lock:
            return sum(each.status == http.client.OK for each in self._replies) >= searches

    def is_well(self) -> bool:
        """Whether a save is taken right now."""
        return self._save().status == http.client.CREATED

    def _repeat(self, ask: Callable[[], object], pause: float) -> None:
        while not self._stop.wait(pause):
            ask()

    def _save(self) -> Reply:
        title = f"Drilled {next(self._numbers)}"
        reply = self._ask("POST", "/api/articles", {"title": title, "content": f"{title} runs on water."})
        if reply.status == http.client.SERVICE_UNAVAILABLE:
            self.refused.append(title)
        return reply

    def _search(self) -> Reply:
        return self._ask("POST", "/api/search", {"query": f"water {next(self._numbers)}"})

    def _ask(self, method: str, path: str, body: object = None) -> Reply:
        connection = http.client.HTTPConnection(*self._address, timeout=_TIMEOUT_SECONDS)
        asked, status, is_bare, text = time.monotonic(), 0, False, ""
        try:
            connection.request(method, path, None if body is None else json.dumps(body), _HEADERS)
            reply = connection.getresponse()
            text, status = reply.read().decode(), reply.status
            is_bare = status == http.client.SERVICE_UNAVAILABLE and not reply.headers["Retry-After"]
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        found = Reply(path, status, time.monotonic() - asked, asked, is_bare, text)
        with self._lock:
            self._replies.append(found)
        return found
