"""How fast and how right search is over many vectors: the statement alone, the search in process, and over the API.
Beside the statement, in the same rounds: raw pgvector on a narrow table (`raw`), and the ids alone of our own rows and
index (`same_index`)."""

import argparse
import functools
import json
import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psycopg
from django.db import transaction

from benchmarks.limits import search as limits
from benchmarks.tools import clusters, http_load, writing
from benchmarks.tools.report import latencies, print_progress, print_result, spread
from benchmarks.tools.stack import DIMENSIONS, TOKEN, Stack, own_stack
from embeddings.storage import vectors
from embeddings.storage.vectors import StoredChunk, WireVector

K = 10
_FILTER = {"hundredth": 7}
_WRITE_BATCH = 2_000
_WARM_UP = 50


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    with own_stack(SEARCH_FILTERS="hundredth:number") as stack:
        data = clusters.clustered(options.n, options.queries, DIMENSIONS)
        bench = _Bench(stack, data, options.rounds)
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
    parser.add_argument("--rounds", type=int, default=5, help="of all queries by each statement, in turn")
    return parser.parse_args(words)


class _Statement(NamedTuple):
    """A search with its session and values; the server keeps its plan where the product has it kept."""

    session: psycopg.Connection
    text: str
    values: dict[str, Any]
    is_kept: bool

    def run(self, wire: WireVector) -> None:
        values = {"vector": vectors.VectorParameter(wire), **self.values}
        assert self.session.execute(self.text.encode(), values, prepare=self.is_kept).fetchall()


class _Bench:
    """The articles with their vectors, and the three ways to ask for the nearest."""

    def __init__(self, stack: Stack, data: clusters.Data, rounds: int) -> None:
        self.stack = stack
        self.data = data
        self.rounds = rounds
        self.raw = psycopg.connect(stack.limit_database(), autocommit=True)
        self.space = stack.load("embeddings.models.Space").objects.serving()
        self.semantic = stack.load("embeddings.search.semantic")
        self.query_wires = vectors.to_wire(data.queries)
        self.queries = [f"query number {number}" for number in range(len(data.queries))]

    def fill(self) -> dict[str, Any]:
        """Writes articles and vectors, builds the index, and puts the queries' vectors where searches look first."""
        print_progress(f"writing {len(self.data.vectors):,} articles and vectors")
        writing.write_articles(self.stack, len(self.data.vectors), with_tasks=False)
        seconds = _timed(self._write_vectors)
        self.stack.settle_down()
        print_progress("building the index")
        index_seconds = _timed(lambda: self.stack.load("embeddings.storage.ann_index.build")(self.space))
        print_progress("writing the limit's table and building its index")
        limits.fill(self.raw, vectors.to_wire(self.data.vectors), DIMENSIONS)
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
        kept = self._kept_by(metadata) if metadata else None
        statements = self._statements(plan, where, kept)
        self._round(statements)  # it warms up
        rounds = [self._round(statements) for _ in range(self.rounds)]
        self._in_process(where, truth[:_WARM_UP])
        inside, recall = self._in_process(where, truth)
        api = latencies(self._over_http(metadata))
        measured = {name: latencies([s for each in rounds for s in each[name]]) for name in statements}
        return {
            "path": str(plan),
            "recall_at_10": round(recall, 4),
            **measured,
            **_compared(rounds),
            "in_process": latencies(inside),
            "api": api,
            "api_overhead_p50_ms": round(api["p50_ms"] - measured["statement"]["p50_ms"], 2),
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

    def _kept_by(self, metadata: dict[str, Any]) -> list[int]:
        rows = self.stack.database.execute(
            "SELECT id FROM articles WHERE metadata @> %s::jsonb", [json.dumps(metadata)]
        )
        return [article_id for (article_id,) in rows.fetchall()]

    def _statements(self, plan: Any, where: Any, kept: list[int] | None) -> dict[str, _Statement]:
        """The raw search, the ids alone from our rows and index, and our own statement. A filter's statement is planned
        each time, as in the product."""
        product: Any = self.stack.database
        for session in (self.raw, product):
            session.execute(f"SET hnsw.ef_search = {self.stack.load('embeddings.search.plans.EF_SEARCH'):d}")
        raw = limits.NEAREST if kept is None else limits.NEAREST_OF_KIND
        same_index = limits.NEAREST_ON_OURS if kept is None else limits.NEAREST_OF_ARTICLES
        of_ours = {"space": self.space.pk, "type": f"vector({DIMENSIONS})", "k": K}
        sql = self.stack.load("embeddings.search.plans.sql")
        ours = sql(self.space, plan, K, K * self.semantic.CHUNKS_PER_HIT, where.text)
        is_kept = not where.is_filter
        return {
            "raw": _Statement(self.raw, raw.format(k=K, kind=_FILTER["hundredth"]), {}, is_kept),
            "same_index": _Statement(product, same_index.format(**of_ours), {"articles": kept}, is_kept),
            "statement": _Statement(product, ours, where.values, is_kept),
        }

    def _round(self, statements: dict[str, _Statement]) -> dict[str, list[float]]:
        """Seconds of each query by each statement, in turn, through the driver as the product sends it. Each runs on
        another query than its neighbour, which would find its pages warm."""
        seconds: dict[str, list[float]] = {name: [] for name in statements}
        count = len(self.query_wires)
        for number in range(count):
            for shift, (name, statement) in enumerate(statements.items()):
                wire = self.query_wires[(number + shift * count // len(statements)) % count]
                seconds[name].append(_timed(functools.partial(statement.run, wire)))
        return seconds

    def _in_process(self, where: Any, truth: Sequence[set[int]]) -> tuple[list[float], float]:
        """(seconds of each search, share of the true neighbours found)."""
        seconds, found = [], 0
        for wire, wanted in zip(self.query_wires, truth, strict=False):
            started = time.perf_counter()
            hits = self.semantic.nearest(self.space, wire, K, where).hits
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


def _compared(rounds: Sequence[dict[str, list[float]]]) -> dict[str, Any]:
    """Of the rounds' medians: the spread of each statement in milliseconds, and of ours as a multiple of the limits."""
    medians = [{name: statistics.median(seconds) * 1000 for name, seconds in each.items()} for each in rounds]
    return {
        "round_p50_ms": {name: spread([each[name] for each in medians], 3) for name in medians[0]},
        "statement_of_raw": spread([each["statement"] / each["raw"] for each in medians], 2),
        "statement_of_same_index": spread([each["statement"] / each["same_index"] for each in medians], 2),
    }


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
