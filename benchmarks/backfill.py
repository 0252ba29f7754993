"""How long a fresh edit waits for its vectors while a backfill is worked off beside it."""

import argparse
import http.client
import json
import random
from urllib.parse import urlsplit

from benchmarks.tools import texts, writing
from benchmarks.tools.report import latencies, print_progress, print_result
from benchmarks.tools.stack import TOKEN, Stack, own_stack, wait_until

_SEED = 13
_HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
_LOWEST = "UPDATE embedding_tasks SET priority = 'low' WHERE status = 'pending'"
_WAITED = """
SELECT extract(epoch FROM completed_at - created_at)::float FROM embedding_tasks
WHERE slug = %s AND status = 'completed'
"""
_LEFT = "SELECT count(*) FROM embedding_tasks WHERE priority = 'low' AND status = 'pending'"


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    with own_stack() as stack, stack.workers():
        stack.web()
        stack.provider.configure(latency_ms=options.latency_ms)
        print_progress(f"writing a backfill of {options.n:,} articles")
        writing.write_articles(stack, options.n, with_tasks=True)
        stack.database.execute(_LOWEST)
        stack.settle_down()
        stack.load("queueops.wakeups.doorbell.ring")()
        wait_until(lambda: stack.value(_LEFT) < options.n, "the backfill to begin")
        waits, left = [], []
        for text in texts.articles(options.edits, _SEED):
            waits.append(_save_and_wait(stack, text))
            left.append(stack.value(_LEFT))
        results = {"saved_to_embedded": latencies(waits), "edits_before_its_end": sum(map(bool, left))}
        print_progress(str(results))
        print_result("backfill", options, results)


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench backfill", description=__doc__)
    parser.add_argument("--n", type=int, default=100_000, help="articles that wait")
    parser.add_argument("--edits", type=int, default=30, help="saved one after another meanwhile")
    parser.add_argument("--latency-ms", type=float, default=250, help="of the provider")
    return parser.parse_args(words)


def _save_and_wait(stack: Stack, text: texts.Text) -> float:
    """Seconds from the task's making to its end, by the database's clock."""
    stack.pause(random.uniform(0.1, 0.3))  # so that edits meet no rhythm of the system
    connection = http.client.HTTPConnection(urlsplit(stack.web_url).netloc, timeout=30)
    body = json.dumps({"title": text.title, "content": text.content})
    connection.request("POST", "/api/articles", body, _HEADERS)
    slug = json.loads(connection.getresponse().read())["slug"]
    connection.close()
    wait_until(lambda: bool(stack.database.execute(_WAITED, [slug]).fetchone()), slug, every=0.01)
    return float(stack.value(_WAITED, slug))


if __name__ == "__main__":
    main()
