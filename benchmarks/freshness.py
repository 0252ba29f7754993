"""How long after its save an article is found by search, on an idle system. Beside it, after each save, the floor: a
commit, a provider call and a commit by hand."""

import argparse
import http.client
import json
import random
import statistics
import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks.limits.freshness import Floor
from benchmarks.tools import texts, writing
from benchmarks.tools.report import latencies, print_progress, print_result, spread
from benchmarks.tools.stack import TOKEN, Stack, own_stack, wait_until

_SEED = 11
_PARTS = 5
_LONGEST_QUERY = 1_000
_GIVE_UP_SECONDS = 30.0
_HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
_EMBEDDED = "SELECT count(*) FROM article_embeddings"


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    with own_stack(vectors="words") as stack, stack.workers():
        stack.web()
        stack.provider.configure(latency_ms=options.latency_ms)
        writing.write_articles(stack, options.corpus, with_tasks=True)
        stack.load("queueops.wakeups.doorbell.ring")()
        wait_until(lambda: stack.value(_EMBEDDED) == options.corpus, "the corpus", every=0.5)
        stack.settle_down()
        client, floor = _Client(stack), Floor(stack.limit_database(), stack.provider.url)
        found = [
            _round(client, stack, floor, text)
            for text in texts.articles(options.rounds + options.warm_up, _SEED)
        ]
        results = _summary(found[options.warm_up :])
        print_progress(str(results))
        print_result("freshness", options, results)


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench freshness", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--warm-up", type=int, default=10, help="rounds before that do not count")
    parser.add_argument("--corpus", type=int, default=2_000, help="articles that are there before")
    parser.add_argument("--latency-ms", type=float, default=0, help="of the provider")
    return parser.parse_args(words)


class _Client:
    """One keep-alive connection to the API."""

    def __init__(self, stack: Stack) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(stack.web_url).netloc, timeout=30)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self._connection.request("POST", path, json.dumps(body), _HEADERS)
        reply = self._connection.getresponse()
        answer: dict[str, Any] = json.loads(reply.read())
        assert reply.status in (200, 201), answer
        return answer


class _Round(NamedTuple):
    """Seconds until found, of which until saved; searches until found; and seconds of the floor."""

    found: float
    saved: float
    searches: int
    floor: float


def _summary(rounds: list[_Round]) -> dict[str, Any]:
    """Over all, and by the parts of the time, which a busy minute cannot spoil together."""
    size = max(len(rounds) // _PARTS, 1)
    parts = [rounds[first : first + size] for first in range(0, len(rounds), size)][:_PARTS]
    ours = [statistics.median(each.found for each in part) for part in parts]
    floors = [statistics.median(each.floor for each in part) for part in parts]
    return {
        "saved_to_found": latencies([each.found for each in rounds]),
        "of_which_save": latencies([each.saved for each in rounds]),
        "floor": latencies([each.floor for each in rounds]),
        "searches_until_found": sum(each.searches for each in rounds) / len(rounds),
        "part_p50_ms": spread([seconds * 1000 for seconds in ours], 2),
        "part_floor_p50_ms": spread([seconds * 1000 for seconds in floors], 2),
        "part_of_floor": spread([our / floor for our, floor in zip(ours, floors, strict=True)], 2),
    }


def _round(client: _Client, stack: Stack, floor: Floor, text: texts.Text) -> _Round:
    stack.pause(random.uniform(0.1, 0.4))  # so that rounds meet no rhythm of the system
    question = {"query": f"{text.title} {text.content}"[:_LONGEST_QUERY], "k": 1}
    started = time.perf_counter()
    slug = client.post("/api/articles", {"title": text.title, "content": text.content})["slug"]
    saved = time.perf_counter()
    searches = 0
    while time.perf_counter() - saved < _GIVE_UP_SECONDS:
        searches += 1
        results = client.post("/api/search", question)["results"]
        if results and results[0]["slug"] == slug:
            found = time.perf_counter() - started
            return _Round(found, saved - started, searches, floor.save_and_embed(text.title, text.content))
    raise TimeoutError(f"{slug} was not found within {_GIVE_UP_SECONDS:g} s")


if __name__ == "__main__":
    main()
