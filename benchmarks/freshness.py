"""How long after its save an article is found by search, on an idle system."""

import argparse
import http.client
import json
import random
import time
from typing import Any
from urllib.parse import urlsplit

from benchmarks.tools import texts, writing
from benchmarks.tools.report import latencies, print_progress, print_result
from benchmarks.tools.stack import TOKEN, Stack, own_stack, wait_until

_SEED = 11
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
        client = _Client(stack)
        found = [
            _round(client, stack, text) for text in texts.articles(options.rounds + options.warm_up, _SEED)
        ]
        counted = found[options.warm_up :]
        results = {
            "saved_to_found": latencies([seconds for seconds, _, _ in counted]),
            "of_which_save": latencies([seconds for _, seconds, _ in counted]),
            "searches_until_found": sum(searches for _, _, searches in counted) / len(counted),
        }
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


def _round(client: _Client, stack: Stack, text: texts.Text) -> tuple[float, float, int]:
    """Seconds until found, seconds until saved, and how many searches it took."""
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
            return time.perf_counter() - started, saved - started, searches
    raise TimeoutError(f"{slug} was not found within {_GIVE_UP_SECONDS:g} s")


if __name__ == "__main__":
    main()
