"""How long after its save an article is found by search, on an idle system, and where the time goes; the same for an
edit. Beside it, after each save, the floor: a commit, a provider call and a commit by hand."""

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
# By the database's clock, which is this machine's: when the article's last task was made, claimed and completed.
_TASK = """
SELECT extract(epoch FROM t.created_at)::float8, extract(epoch FROM t.processed_at)::float8,
       extract(epoch FROM t.completed_at)::float8
FROM embedding_tasks t JOIN articles a ON a.id = t.article_id WHERE a.slug = %s ORDER BY t.id DESC LIMIT 1
"""
_IS_CURRENT = """
SELECT coalesce(bool_and(e.source_hash = a.content_hash), false)
FROM articles a JOIN article_embeddings e ON e.article_id = a.id WHERE a.slug = %s
"""


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
        written = texts.articles(2 * (options.rounds + options.warm_up), _SEED)
        found, edits = list[_Round](), list[_Round]()
        for text, edit in zip(written, written, strict=True):
            found.append(_round(client, stack, floor, text))
            edits.append(_round(client, stack, floor, edit, found[-1].slug))
        results = _summary(found[options.warm_up :]) | {"edit": _stages(edits[options.warm_up :])}
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

    def send(self, path: str, body: dict[str, Any], method: str = "POST") -> dict[str, Any]:
        self._connection.request(method, path, json.dumps(body), _HEADERS)
        reply = self._connection.getresponse()
        answer: dict[str, Any] = json.loads(reply.read())
        assert reply.status in (200, 201), answer
        return answer


class _Round(NamedTuple):
    """Seconds until found, of which until saved, and between its task's stages; searches until found; and seconds of
    the floor."""

    slug: str
    found: float
    saved: float
    claimed: float
    completed: float
    seen: float
    searches: int
    floor: float


def _summary(rounds: list[_Round]) -> dict[str, Any]:
    """Over all, and by the parts of the time, which a busy minute cannot spoil together."""
    size = max(len(rounds) // _PARTS, 1)
    parts = [rounds[first : first + size] for first in range(0, len(rounds), size)][:_PARTS]
    ours = [statistics.median(each.found for each in part) for part in parts]
    floors = [statistics.median(each.floor for each in part) for part in parts]
    return {
        **_stages(rounds),
        "floor": latencies([each.floor for each in rounds]),
        "searches_until_found": sum(each.searches for each in rounds) / len(rounds),
        "part_p50_ms": spread([seconds * 1000 for seconds in ours], 2),
        "part_floor_p50_ms": spread([seconds * 1000 for seconds in floors], 2),
        "part_of_floor": spread([our / floor for our, floor in zip(ours, floors, strict=True)], 2),
    }


def _stages(rounds: list[_Round]) -> dict[str, Any]:
    return {
        "saved_to_found": latencies([each.found for each in rounds]),
        "of_which_save": latencies([each.saved for each in rounds]),
        "made_to_claimed": latencies([each.claimed for each in rounds]),
        "claimed_to_completed": latencies([each.completed for each in rounds]),
        "completed_to_found": latencies([each.seen for each in rounds]),
    }


def _round(client: _Client, stack: Stack, floor: Floor, text: texts.Text, slug: str = "") -> _Round:
    """Saves the text as a new article, or as that of `slug`, and searches until it is found."""
    stack.pause(random.uniform(0.1, 0.4))  # so that rounds meet no rhythm of the system
    article = {"title": text.title, "content": text.content}
    started = time.time()
    if slug:
        client.send(f"/api/articles/{slug}", article, "PUT")
    else:
        slug = client.send("/api/articles", article)["slug"]
    saved = time.time()
    searches, found = _search(client, stack, text, slug)
    made, claimed, completed = stack.database.execute(_TASK, [slug]).fetchone() or (0.0, 0.0, 0.0)
    return _Round(
        slug=slug,
        found=found - started,
        saved=saved - started,
        claimed=claimed - made,
        completed=completed - claimed,
        seen=found - completed,
        searches=searches,
        floor=floor.save_and_embed(text.title, text.content),
    )


def _search(client: _Client, stack: Stack, text: texts.Text, slug: str) -> tuple[int, float]:
    """How many searches it took, and when the one that found the text ended."""
    question = {"query": f"{text.title} {text.content}"[:_LONGEST_QUERY], "k": 1}
    ends = time.time() + _GIVE_UP_SECONDS
    searches = 0
    while time.time() < ends:
        searches += 1
        results = client.send("/api/search", question)["results"]
        found = time.time()
        # an edited article may be the best hit by its former text
        if results and results[0]["slug"] == slug and stack.value(_IS_CURRENT, slug):
            return searches, found
    raise TimeoutError(f"{slug} was not found within {_GIVE_UP_SECONDS:g} s")


if __name__ == "__main__":
    main()
