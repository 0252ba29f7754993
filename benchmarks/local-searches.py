"""How much slower searches are while the local embedder is busy with a backfill, and what they cost the backfill:
queries that no cache holds, one after another, with the queue paused and with it at work, in turn."""

import argparse
import http.client
import json
import random
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from benchmarks.tools import draining, texts
from benchmarks.tools.report import latencies, print_progress, print_result, spread
from benchmarks.tools.stack import PROCESSES, TOKEN, Stack, own_stack, wait_until
from benchmarks.tools.usage import Usage
from config.stack import services

_SEED = 17
_WORDS_A_QUERY = 8
_RUN_UP_SECONDS = 3.0
_HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
_PAUSE = "UPDATE queue_state SET is_paused = true"
_HELD = "SELECT count(*) FROM embedding_tasks WHERE status = 'processing'"
_WAITING = "SELECT count(*) FROM embedding_tasks WHERE status = 'pending'"
_EMBEDDED = "SELECT count(*) FROM article_embeddings WHERE embedding IS NOT NULL"


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    with own_stack(
        EMBEDDING_PROVIDER="local", EMBEDDING_MODEL="all-MiniLM-L6-v2", EMBEDDING_DIMENSIONS=""
    ) as stack:
        (embedder,) = services.embedder()
        stack.run(embedder)
        stack.web()
        print_progress(f"writing a backfill of {options.n:,} articles")
        draining.fill(stack, options.n)
        with stack.workers(PROCESSES), Usage(embedder.process.pid) as used:
            results = _measure(stack, options)
        # what others do on the machine does not change it much
        results["embedder_seconds_per_article"] = round(
            (used.seconds or 0.0) / max(stack.value(_EMBEDDED), 1), 4
        )
        results["embedder_peak_mib"] = used.peak_mib
        print_progress(str(results))
        print_result("local-searches", options, results)


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench local-searches", description=__doc__)
    parser.add_argument("--n", type=int, default=6_000, help="articles that wait")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--slice-seconds", type=float, default=15.0, help="of each state in each round")
    parser.add_argument("--searches-per-second", type=float, default=4.0, help="at most")
    return parser.parse_args(words)


def _measure(stack: Stack, options: argparse.Namespace) -> dict[str, Any]:
    client = _Client(stack, options.searches_per_second)
    seconds: dict[str, list[float]] = defaultdict(list)
    speeds: dict[str, list[float]] = defaultdict(list)
    _work(stack, lambda: stack.pause(_RUN_UP_SECONDS))  # something to search in
    for number in range(options.rounds):
        seconds["idle"] += client.search_for(options.slice_seconds)
        speeds["alone"].append(_work(stack, lambda: stack.pause(options.slice_seconds)))
        began = len(seconds["in_backfill"])
        speeds["beside_searches"].append(
            _work(stack, lambda: seconds["in_backfill"].extend(client.search_for(options.slice_seconds)))
        )
        print_progress(f"round {number + 1}: {len(seconds['in_backfill']) - began} searches in the backfill")
    found = {state: latencies(each) for state, each in seconds.items()}
    return {
        "searches": {state: len(each) for state, each in seconds.items()},
        **found,
        "in_backfill_to_idle_p50": round(found["in_backfill"]["p50_ms"] / found["idle"]["p50_ms"], 2),
        "articles_per_second": {state: spread(each, 1) for state, each in speeds.items()},
        "degraded": client.degraded,
        "left": stack.value(_WAITING),
    }


def _work(stack: Stack, meanwhile: Callable[[], object]) -> float:
    """Articles a second that get their vector while `meanwhile` runs and the workers work, without their run-up."""
    draining.resume(stack)
    try:
        stack.pause(_RUN_UP_SECONDS)
        before, began = stack.value(_EMBEDDED), time.monotonic()
        meanwhile()
        return float(stack.value(_EMBEDDED) - before) / (time.monotonic() - began)
    finally:
        stack.database.execute(_PAUSE)
        wait_until(lambda: not stack.value(_HELD), "what is in work")


class _Client:
    """Asks a new question each time."""

    degraded = 0
    """Replies without the meaning of the query, which the embedder gave too late."""

    def __init__(self, stack: Stack, per_second: float) -> None:
        self._stack = stack
        self._gap = 1 / per_second
        self._chosen = random.Random(_SEED)
        self._words = [word for text in texts.articles(50, _SEED) for word in text.content.split()]

    def search_for(self, seconds: float) -> list[float]:
        """The seconds of each search in this time, over one keep-alive connection."""
        connection = http.client.HTTPConnection(urlsplit(self._stack.web_url).netloc, timeout=60)
        self._search(connection)  # the first of a process loads what it needs
        ends, found = time.monotonic() + seconds, list[float]()
        while time.monotonic() < ends:
            found.append(self._search(connection))
            self._stack.pause(self._chosen.uniform(0.5, 1.0) * self._gap)
        connection.close()
        return found

    def _search(self, connection: http.client.HTTPConnection) -> float:
        query = " ".join(self._chosen.choices(self._words, k=_WORDS_A_QUERY))
        began = time.perf_counter()
        connection.request("POST", "/api/search", json.dumps({"query": query, "k": 10}), _HEADERS)
        reply = connection.getresponse()
        answer = json.loads(reply.read())
        taken = time.perf_counter() - began
        assert reply.status == 200, answer
        self.degraded += answer["degraded"]
        return taken


if __name__ == "__main__":
    main()
