"""How fast and how right search is over many vectors: the statement alone, the search in process, and over the API."""

import argparse
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from django.db import transaction

from benchmarks.tools import clusters, http_load, writing
from benchmarks.tools.report import latencies, print_progress, print_result
from benchmarks.tools.stack import DIMENSIONS, TOKEN, Stack, own_stack
from embeddings.storage import vectors
from embeddings.storage.vectors import StoredChunk, WireVector

K = 10
_FILTER = {"hundredth": 7}
_WRITE_BATCH = 2_000
_WARM_UP = 50
_LIMIT = """
SELECT article_id, embedding::{type} <=> %(vector)s::{type} AS distance
FROM article_embeddings WHERE space_id = {space} ORDER BY distance LIMIT {k}
"""
# The least that a filter can cost: its value stands beside the vector, in a table of its own.
_BESIDE = """
CREATE TABLE vectors_with_filter AS
SELECT a.id, (a.metadata ->> 'hundredth')::int AS hundredth, e.embedding::{type}
FROM article_embeddings e JOIN articles a ON a.id = e.article_id WHERE e.space_id = {space} ORDER BY a.id;
CREATE INDEX ON vectors_with_filter (hundredth);
"""
_LIMIT_BESIDE = """
SELECT * FROM (
    SELECT id, embedding <=> %(vector)s::{type} AS distance FROM vectors_with_filter WHERE hundredth = 7 OFFSET 0
) kept ORDER BY distance LIMIT {k}
"""


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    with own_stack(SEARCH_FILTERS="hundredth:number") as stack:
        data = clusters.clustered(options.n, options.queries, DIMENSIONS)
        bench = _Bench(stack, data)
        built = bench.fill()
        stack.web()
        kept = np.arange(options.n) % 100 == _FILTER["hundredth"]
        results = {"build": built}
        for name, metadata, truth in (
            ("all", None, clusters.nearest_exactly(data, K)),
            ("filter_1_percent", _FILTER, clusters.nearest_exactly(data, K, kept)),
        ):
            results[name] = bench.measure(metadata, truth)
            print_progress(f"{name}: {results[name]}")
        print_result("search", options, results)


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench search", description=__doc__)
    parser.add_argument("--n", type=int, default=100_000, help="articles, one vector each")
    parser.add_argument("--queries", type=int, default=500)
    return parser.parse_args(words)


class _Bench:
    """The articles with their vectors, and the three ways to ask for the nearest."""

    def __init__(self, stack: Stack, data: clusters.Data) -> None:
        self.stack = stack
        self.data = data
        self.space = stack.load("embeddings.models.Space").objects.serving()
        self.semantic = stack.load("embeddings.search.semantic")
        self.query_wires = vectors.to_wire(data.queries)
        self.queries = [f"query number {number}" for number in range(len(data.queries))]

    def fill(self) -> dict[str, Any]:
        """Writes articles and vectors, builds the index, and puts the queries' vectors where searches look first."""
        print_progress(f"writing {len(self.data.vectors):,} articles and vectors")
        writing.write_articles(self.stack, len(self.data.vectors), with_tasks=False)
        seconds = _timed(self._write_vectors)
        self.stack.database.execute(_BESIDE.format(space=self.space.pk, type=f"vector({DIMENSIONS})"))
        self.stack.database.execute("VACUUM ANALYZE vectors_with_filter")
        self.stack.settle_down()
        print_progress("building the index")
        index_seconds = _timed(lambda: self.stack.load("embeddings.storage.ann_index.build")(self.space))
        self.stack.settle_down()
        cache_key = self.stack.load("embeddings.search.query_vector.cache_key")
        cache = self.stack.load("embeddings.search.query_cache.QueryCache")()
        for query, wire in zip(self.queries, self.query_wires, strict=True):
            cache.put(cache_key(self.space, query), wire)
        return {
            "vectors_per_second": round(len(self.data.vectors) / seconds),
            "index_seconds": round(index_seconds, 1),
        }

    def measure(self, metadata: dict[str, Any] | None, truth: list[set[int]]) -> dict[str, Any]:
        """Latency of each way, and what the API adds to the statement."""
        where = self.stack.load("articles.filters.where")(metadata)
        plan = self.semantic.first_plan(self.space, where)
        limit, raw = (latencies(seconds) for seconds in self._raw(plan, where))
        self._in_process(metadata, truth[:_WARM_UP])
        inside, recall = self._in_process(metadata, truth)
        api = latencies(self._over_http(metadata))
        return {
            "path": str(plan),
            "recall_at_10": round(recall, 4),
            "limit": limit,
            "statement": raw,
            "statement_of_limit": round(raw["p50_ms"] / limit["p50_ms"], 2),
            "in_process": latencies(inside),
            "api": api,
            "api_overhead_p50_ms": round(api["p50_ms"] - raw["p50_ms"], 2),
        }

    def _write_vectors(self) -> None:
        known = self.stack.database.execute("SELECT id, content_hash FROM articles ORDER BY id").fetchall()
        wires = vectors.to_wire(self.data.vectors)
        self.row_of = {article_id: row for row, (article_id, _) in enumerate(known)}
        for first in range(0, len(known), _WRITE_BATCH):
            part = slice(first, first + _WRITE_BATCH)
            ids = [article_id for article_id, _ in known[part]]
            with transaction.atomic():
                vectors.replace(self.space.pk, ids, _chunks(known[part], wires[part]))

    def _raw(self, plan: Any, where: Any) -> tuple[list[float], list[float]]:
        """Seconds of the ids alone, from the same rows and index or with the filter's value beside each vector, and of
        our own statement, in turn, through the driver as the product sends it. Each runs on other queries than its
        neighbour, which would find its pages warm."""
        of = {"space": self.space.pk, "type": f"vector({DIMENSIONS})", "k": K}
        chunks = K * self.semantic.CHUNKS_PER_HIT
        statements = (
            (_LIMIT_BESIDE if where.is_filter else _LIMIT).format(**of),
            self.stack.load("embeddings.search.plans.sql")(self.space, plan, K, chunks, where.text),
        )
        session: Any = self.stack.database
        session.execute(f"SET hnsw.ef_search = {self.stack.load('embeddings.search.plans.EF_SEARCH')}")
        seconds: tuple[list[float], list[float]] = ([], [])
        asked = self.query_wires[:_WARM_UP] + self.query_wires
        for pair in zip(asked[::-1], asked, strict=True):
            for wire, statement, of_each in zip(pair, statements, seconds, strict=True):
                arguments = {"vector": vectors.VectorParameter(wire), **where.values}
                started = time.perf_counter()
                rows = session.execute(statement, arguments, prepare=not where.is_filter).fetchall()
                of_each.append(time.perf_counter() - started)
                assert rows
        asked_for = len(self.query_wires)
        return seconds[0][-asked_for:], seconds[1][-asked_for:]

    def _in_process(
        self, metadata: dict[str, Any] | None, truth: Sequence[set[int]]
    ) -> tuple[list[float], float]:
        """(seconds of each search, share of the true neighbours found)."""
        seconds, found = [], 0
        for wire, wanted in zip(self.query_wires, truth, strict=False):
            started = time.perf_counter()
            hits = self.semantic.nearest(self.space, wire, K, metadata).hits
            seconds.append(time.perf_counter() - started)
            found += len({int(hit.slug.rpartition("-")[2]) for hit in hits} & wanted)
        return seconds, found / sum(map(len, truth))

    def _over_http(self, metadata: dict[str, Any] | None) -> list[float]:
        bodies = self.stack.data_dir / "queries.jsonl"
        asked = [*self.queries[:_WARM_UP], *self.queries]
        _write_bodies(bodies, asked, metadata)
        load = http_load.run(f"{self.stack.web_url}/api/search", TOKEN, 1, bodies)
        assert set(load.statuses) == {"200"}, (load.statuses, self.stack.web_lines())
        return load.latencies[-len(self.queries) :]


def _chunks(known: Sequence[tuple[Any, ...]], wires: Sequence[WireVector]) -> Iterator[StoredChunk]:
    for (article_id, content_hash), wire in zip(known, wires, strict=True):
        yield StoredChunk(article_id, 0, 1, 0, 100, uuid.uuid4().bytes, 1, content_hash, wire)


def _write_bodies(path: Path, queries: Sequence[str], metadata: dict[str, Any] | None) -> None:
    with path.open("w") as file:
        for query in queries:
            file.write(json.dumps({"query": query, "k": K, "filter": metadata or {}}) + "\n")


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
