"""Whether the API serves articles and searches in each mode: a marked article is made, changed, found and deleted."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import transaction

from articles.models import Article
from lib.manage_command import manage
from queueops.base.signals import tasks_ready
from queueops.engine import modes
from queueops.models import AuditLog, Mode, QueueState, Task
from queueops.operate import controls
from queueops.operate.checks.finding import Finding, fail, ok, warn

MARK = "embed_check"
REASON = "embed_check compatibility tries each mode"
_OURS = ("mode", "mode_reason", "mode_changed_by", "mode_changed_at")
_SECONDS = 30.0
# another process follows within modes.SECONDS
_REMOTE_SECONDS = modes.SECONDS + 0.2
_STATES = {
    Mode.QUEUED: {"pending", "embedded"},
    Mode.SYNCHRONOUS: {"embedded"},
    Mode.DISABLED: {"disabled"},
}


class _Unexpected(Exception):
    """What a call answered, where something else was promised."""


def client(url: str, token: str) -> httpx.Client:
    """The API below `url`; without one, the whole stack of views and middleware in this process."""
    headers = {"authorization": f"Bearer {token}"}
    if url:
        return httpx.Client(base_url=url, headers=headers, timeout=_SECONDS, trust_env=False)
    host = next((h for h in settings.ALLOWED_HOSTS if h[:1] not in {"*", ".", "["}), "localhost")
    transport = httpx.WSGITransport(app=WSGIHandler())
    return httpx.Client(base_url=f"http://{host}", headers=headers, transport=transport)


@contextmanager
def as_it_was(actor: str, reason: str = REASON) -> Iterator[str]:
    """Gives the mark of the articles to make; at the end, however it comes, they are gone and the mode is as it was,
    unless another person set it meanwhile."""
    mark, before = secrets.token_hex(8), QueueState.objects.filter(pk=1).values(*_OURS).first()
    try:
        yield mark
    finally:
        Article.objects.having({MARK: mark}).delete()
        _put_back(before or {}, actor, reason)


def _put_back(before: dict[str, Any], actor: str, reason: str) -> None:
    with transaction.atomic():
        ours = QueueState.objects.select_for_update().filter(pk=1, mode_reason=reason, mode_changed_by=actor)
        if not ours:
            return
        ours.update(**(before or {"mode": "", "mode_reason": "", "mode_changed_by": ""}))
        scope = {"verb": "compatibility", "to": before.get("mode") or controls.ENVIRONMENT}
        AuditLog.write_operation("mode put back", actor=actor, reason=reason, scope=scope)
        transaction.on_commit(modes.forget)
        tasks_ready.send(Task)


def check(
    api: httpx.Client, mark: str, *, actor: str, is_remote: bool, reason: str = REASON
) -> Iterator[Finding]:
    """Two findings a mode, one of the articles and one of the search; to be used inside `as_it_was`."""
    for mode in Mode:
        controls.set_mode(mode, actor=actor, reason=reason)
        if is_remote:
            time.sleep(_REMOTE_SECONDS)
        yield from _of_mode(api, mode, mark)


def _of_mode(api: httpx.Client, mode: Mode, mark: str) -> Iterator[Finding]:
    calls = _Calls(api, mode, mark)
    steps: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("articles", calls.write),
        ("search", calls.search),
        ("deletion", calls.delete),
    )
    for name, step in steps:
        try:
            yield step()
        except _Unexpected as error:
            yield fail(f"{mode} {name}", str(error), "See the web process's log at this minute.")
            return
        except httpx.HTTPError as error:
            kind = type(error).__name__
            yield fail(f"{mode} {name}", f"the API does not answer ({kind})", "Start it, or correct --url.")
            return


@dataclass
class _Calls:
    """The calls of one mode on one article."""

    api: httpx.Client
    mode: Mode
    mark: str
    slug: str = ""

    def write(self) -> Finding:
        metadata = {MARK: self.mark}
        title = f"Compatibility {self.mark} {self.mode}"
        made = self._call(
            "POST", "/api/articles", 201, {"title": title, "content": "A first text.", "metadata": metadata}
        )
        self.slug = made["slug"]
        changed = self._call(
            "PATCH", f"/api/articles/{self.slug}", 200, {"content": f"A second text of {self.mark}."}
        )
        if (changed["version_number"], changed["title"]) != (2, title):
            raise _Unexpected("a change of the text did not become version 2")
        state = self._call("GET", f"/api/articles/{self.slug}", 200)["embedding"]["state"]
        if state in _STATES[self.mode]:
            return ok(f"{self.mode} articles", f"made, changed and read; embedding {state}")
        expected = " or ".join(sorted(_STATES[self.mode]))
        detail = f"made, changed and read; embedding {state}, expected {expected}"
        return warn(f"{self.mode} articles", detail, f"Run: {manage('embed_check provider')}")

    def search(self) -> Finding:
        question = {"query": self.mark, "k": 5, "filter": {MARK: self.mark}}
        by_words = self._call("POST", "/api/search", 200, question | {"mode": "keyword"})
        if self.slug not in [hit["slug"] for hit in by_words["results"]]:
            raise _Unexpected("a search by words did not find the article")
        reply = self._call("POST", "/api/search", 200, question)
        is_found, answered_by = self.slug in [hit["slug"] for hit in reply["results"]], reply["answered_by"]
        said = f"found by keywords; a search by meaning was answered by {answered_by}"
        if self.mode is Mode.DISABLED:
            if not reply["degraded"] or answered_by != "keyword" or not is_found:
                raise _Unexpected(f"nothing may be embedded, and yet {said}")
        elif reply["degraded"]:
            return warn(
                f"{self.mode} search", f"{said}: {reply['reason']}", f"Run: {manage('embed_check provider')}"
            )
        elif self.mode is Mode.SYNCHRONOUS and not is_found:
            return warn(
                f"{self.mode} search", f"{said} without the article", f"Run: {manage('embed_check provider')}"
            )
        return ok(f"{self.mode} search", said)

    def delete(self) -> Finding:
        self._call("DELETE", f"/api/articles/{self.slug}", 204)
        self._call("GET", f"/api/articles/{self.slug}", 404)
        return ok(f"{self.mode} deletion", "the article is gone")

    def _call(self, method: str, path: str, status: int, body: Any = None) -> Any:
        reply = (
            self.api.request(method, path, json=body) if body is not None else self.api.request(method, path)
        )
        if reply.status_code != status:
            detail = _detail(reply)
            raise _Unexpected(f"{method} {path} answered {reply.status_code} and not {status}{detail}")
        return reply.json() if reply.content else None


def _detail(reply: httpx.Response) -> str:
    """The problem document's own sentence, if there is one."""
    try:
        return f": {reply.json()['detail']}"
    except (ValueError, KeyError, TypeError):
        return ""
