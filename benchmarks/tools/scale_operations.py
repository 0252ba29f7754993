"""What is measured at each size: calls of the product's own functions, pages and commands.

An operation puts back what it changed, so that it can be repeated on tables of the same shape.
"""

import io
import itertools
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import psycopg
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client

from articles import filters
from articles.models import Article
from benchmarks.limits import search as limits
from benchmarks.tools import scale_data
from benchmarks.tools.scale_process import RAW
from benchmarks.tools.stack import DIMENSIONS, TOKEN
from embeddings.indexing.render import render
from embeddings.models import Space
from embeddings.search import keyword, plans, semantic
from embeddings.storage.vectors import VectorParameter, WireVector
from queueops.engine import claims, settling
from queueops.engine.claims import Claim
from queueops.engine.results import Batch, Effort, Success
from queueops.maintenance import drift, sampler, sweep
from queueops.models import Outcome, Worker, worker_registry
from queueops.monitoring import snapshot

BATCH = 100
K = 10
_QUERIES = 64
_LOCK_SECONDS = 5.0
_COMMON = "article number"  # every article has both words
_API = ["/api/articles?limit=50", "/api/queue/tasks?limit=50&status=failed", "/stats"]
_API += [
    "/api/queue/tasks?limit=50&status=pending",
    "/api/queue/tasks?limit=50&status=completed&after={middle}",
]
_ADMIN = [
    "/admin/",
    "/admin/articles/article/",
    "/admin/queueops/task/",
    "/admin/queueops/task/?failure=open",
]
_ADMIN += ["/admin/queueops/task/?status__exact=completed", "/admin/queueops/task/?status__exact=failed"]
_ADMIN += ["/admin/queueops/auditlog/"]
_TOGETHER = 5_000
_ENQUEUE = """
INSERT INTO embedding_tasks (article_id, slug, space_id, source_version, content_hash, metadata)
SELECT a.id, a.slug, s.id, a.version_number, a.content_hash, '{"reason": "edit"}'
FROM articles a CROSS JOIN embedding_spaces s ORDER BY a.id LIMIT %s ON CONFLICT DO NOTHING
"""
_PUT_BACK = """
UPDATE embedding_tasks SET status = 'pending', attempts = 0, outcome = '', completed_at = NULL, processed_at = NULL,
    lease_expires_at = NULL, claim_token = NULL WHERE id = ANY(%s)
"""


def _nothing() -> None:
    pass


class Operation(NamedTuple):
    """`run` is measured and returns how many items it did; `before` and `after` are not."""

    run: Callable[[], int]
    before: Callable[[], None] = _nothing
    after: Callable[[], None] = _nothing


class Operations:
    """All operations of one database, by name."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._claim: Claim | None = None
        self._queries = itertools.cycle(scale_data.queries(_QUERIES))
        self._draw = random.Random(7)
        self._articles = Article.objects.count()
        self._api = Client(SERVER_NAME="localhost", headers={"authorization": f"Bearer {TOKEN}"})
        self._admin = Client(SERVER_NAME="localhost")
        self._admin.force_login(get_user_model().objects.create_superuser("benchmark"))

    def of_the_queue(self) -> dict[str, Operation]:
        """Everything that needs no approximate index."""
        middle = self._articles // 2
        pages = {f"GET {path}": (self._api, path.format(middle=middle)) for path in _API}
        pages |= {f"GET {path}": (self._admin, path) for path in _ADMIN}
        return {
            "claim": Operation(self._take, before=self._beat, after=self._put_back),
            "settle": Operation(self._settle, before=self._take_before, after=self._put_back),
            "save": Operation(self._save),
            "sweep": Operation(lambda: _once(sweep.sweep)),
            "look for drift": Operation(lambda: _once(drift.enqueue_drift)),
            "sample": Operation(lambda: _once(sampler.sample)),
            "snapshot": Operation(lambda: _once(snapshot.take)),
            "status": Operation(lambda: _command("status")),
            "health": Operation(lambda: _command("health")),
            "search by a rare word": Operation(lambda: _once(lambda: keyword.matching("number 777", K))),
            "search by common words": Operation(lambda: _once(lambda: keyword.matching(_COMMON, K))),
            f"search by common words{RAW}": Operation(lambda: _once(_common_words)),
        } | {name: Operation(_reading(*page)) for name, page in pages.items()}

    def of_search(self) -> dict[str, Operation]:
        """Searches by meaning; after each the same by raw SQL, which shows what the index itself costs."""
        found = {}
        for name, metadata in SEARCHES.items():
            kept = self._kept(metadata)
            found[name] = Operation(self._nearest(metadata))
            found[name + RAW] = Operation(self._raw(kept))
        return found

    def _beat(self) -> None:
        """As a living process does; the sweep removes others."""
        self._worker, _ = Worker.objects.get_or_create(name="benchmark")
        worker_registry.beat(self._worker.pk)

    def _take(self) -> int:
        self._claim = claims.claim_due(self.space, BATCH, self._worker.pk, "benchmark")
        return len(self._claim.tasks)

    def _take_before(self) -> None:
        self._beat()
        self._take()

    def _put_back(self) -> None:
        assert self._claim is not None
        with connection.cursor() as cursor:
            cursor.execute(_PUT_BACK, [[task.task_id for task in self._claim.tasks]])

    def _settle(self) -> int:
        assert self._claim is not None
        done = [
            Success(task, render(self.space, task.source), Outcome.EMBEDDED) for task in self._claim.tasks
        ]
        hashes = [each for success in done for each in success.rendered.hashes]
        vectors: dict[bytes, WireVector] = dict(zip(hashes, self._queries, strict=False))
        return settling.settle(Batch(self._claim, done, vectors, Effort()), _LOCK_SECONDS).outcomes.total()

    def _save(self) -> int:
        path = f"/api/articles/article-{self._draw.randrange(1, self._articles)}"
        body = {"content": f"Edit {self._draw.random()}"}
        reply = self._api.patch(path, body, content_type="application/json")
        assert reply.status_code == 200, reply.content
        return 1

    def churn(self, count: int) -> None:
        """Enqueues, claims and settles about so many tasks; their rows stay, as they do until the cleanup."""
        self._beat()
        for _ in range(0, count, _TOGETHER):
            with connection.cursor() as cursor:
                cursor.execute(_ENQUEUE, [_TOGETHER])
            while self._take():
                self._settle()

    def _kept(self, metadata: dict[str, Any] | None) -> list[int] | None:
        return list(Article.objects.having(metadata).values_list("pk", flat=True)) if metadata else None

    def _nearest(self, metadata: dict[str, Any] | None) -> Callable[[], int]:
        def search() -> int:
            assert len(semantic.nearest(self.space, next(self._queries), K, filters.where(metadata)).hits)
            return 1

        return search

    def _raw(self, kept: list[int] | None) -> Callable[[], int]:
        """As the product sends it: prepared, and its vector in binary."""
        template = limits.NEAREST_ON_OURS if kept is None else limits.NEAREST_OF_ARTICLES
        statement = template.format(space=self.space.pk, type=f"vector({DIMENSIONS})", k=K)

        def search() -> int:
            connection.ensure_connection()
            session: Any = connection.connection
            cursor = psycopg.Cursor(session)
            cursor.execute(f"SET hnsw.ef_search = {plans.EF_SEARCH:d}".encode())
            arguments = {"vector": VectorParameter(next(self._queries)), "articles": kept}
            assert cursor.execute(statement.encode(), arguments, prepare=kept is None).fetchall()
            return 1

        return search


SEARCHES: dict[str, dict[str, Any] | None] = {
    "search": None,
    "search, filter keeps 100": {"group": 1},
    "search, filter keeps 1%": {"hundredth": 7},
}


def filled(count: int) -> Operations:
    """The operations of this database, which gets so many articles first."""
    space = Space.objects.serving()
    assert space is not None
    scale_data.fill(space.pk, count)
    return Operations(space)


def _common_words() -> None:
    """What the index of words itself costs: as many matches as the product reads at most."""
    with connection.cursor() as cursor:
        cursor.execute(limits.MATCHES, [" & ".join(_COMMON.split()), keyword.MATCHES_MOST])


def _once(work: Callable[[], object]) -> int:
    work()
    return 1


def _command(verb: str) -> int:
    with suppress(SystemExit):  # its exit code is about the queue
        call_command("queue_admin", verb, "--json", stdout=io.StringIO())
    return 1


def _reading(client: Client, path: str) -> Callable[[], int]:
    def read() -> int:
        reply = client.get(path)
        assert reply.status_code == 200, (path, reply.status_code)
        return 1

    return read
