"""Whether long pages all get their vectors from the local embedder, how much of what it computed was stored, and how
fast that was: real worker processes, and the embedder asked directly for the same passages, in turn."""

import argparse
import itertools
import os
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import django

from benchmarks.tools import draining, texts
from benchmarks.tools.report import print_progress, print_result, spread
from benchmarks.tools.stack import PROCESSES, Stack, own_stack, wait_until
from benchmarks.tools.texts import Text
from benchmarks.tools.usage import Usage
from config.stack import services

# Where packages keep what they ship: the first that has enough long pages is taken.
_FOLDERS = ("/usr/share/doc/nodejs", "/usr/share/doc", str(Path(django.__file__).parents[1]))
_ENDINGS = {".md", ".rst", ".txt"}
_LEAST_CHARACTERS, _MOST_CHARACTERS = 40_000, 1_000_000
_TEXTS_A_REQUEST, _AT_ONCE = 8, 4
_RUN_UP_SECONDS = 5.0
_LIVE = "SELECT count(*) FROM embedding_tasks WHERE status IN ('pending', 'processing')"
_PARKED = "SELECT count(*) FROM embedding_tasks WHERE status = 'failed'"
_CHARGED = "SELECT count(*) FROM embedding_tasks WHERE attempts > 1"
_COMPUTED = "SELECT coalesce(sum(value), 0)::float8 FROM performance_metrics WHERE name = 'provider_texts'"
_SAFE = """
SELECT count(*)::bigint FROM (SELECT text_hash FROM article_embeddings WHERE embedding IS NOT NULL
                              UNION SELECT text_hash FROM kept_vectors) AS safe
"""
_PAUSE = "UPDATE queue_state SET is_paused = true"
_HELD = "SELECT count(*) FROM embedding_tasks WHERE status = 'processing'"
_ARTICLES = """
WITH written AS (
    INSERT INTO articles (slug, title, content, metadata, version_number)
    SELECT slug, title, content, '{}', 1 FROM unnest(%s::text[], %s::text[], %s::text[]) AS given (slug, title, content)
    RETURNING id, title, content
)
INSERT INTO article_versions (article_id, version_number, title, content) SELECT id, 1, title, content FROM written
"""
_TASKS = """
INSERT INTO embedding_tasks (article_id, slug, space_id, priority, source_version, content_hash, metadata)
SELECT a.id, a.slug, s.id, 'low', a.version_number, a.content_hash, '{"reason": "import"}'
FROM articles a CROSS JOIN embedding_spaces s ORDER BY a.id
"""


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    with own_stack(
        EMBEDDING_PROVIDER="local", EMBEDDING_MODEL="all-MiniLM-L6-v2", EMBEDDING_DIMENSIONS=""
    ) as stack:
        (embedder,) = services.embedder()
        stack.run(embedder)
        pages = _pages(options)
        print_result("long-pages", options, _measure(stack, options, pages), pages=_described(pages))


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench long-pages", description=__doc__)
    add = parser.add_argument
    add("--characters", type=int, default=3_000_000, help="of all pages together, about")
    add(
        "--folder",
        type=Path,
        help="take pages from here (default: the longest a package ships, else made ones)",
    )
    add("--slice-seconds", type=float, default=60.0, help="how long each is measured before the other's turn")
    add("--processes", type=int, default=PROCESSES)
    add("--threads", type=int, default=4, help="in each process")
    add("--limit-seconds", type=float, default=3_600.0, help="for everything to be embedded")
    return parser.parse_args(words)


# --- pages ---------------------------------------------------------------------------------------------------


def _pages(options: argparse.Namespace) -> list[Text]:
    for folder in [options.folder] if options.folder else map(Path, _FOLDERS):
        found = _longest(folder, options.characters)
        if sum(len(page.content) for page in found) >= options.characters / 2:
            print_progress(f"{len(found)} pages below {folder}")
            return found
    print_progress("no package here ships enough long pages: making some")
    return _made(options.characters)


def _longest(folder: Path, characters: int) -> list[Text]:
    """Different pages of about so many characters together: the longest, and others as chance will have it."""
    files = (Path(at) / name for at, _, names in os.walk(folder) for name in names)
    sized = [(file.stat().st_size, str(file)) for file in files if file.suffix in _ENDINGS and file.is_file()]
    longest, *others = sorted([each for each in sized if each[0] >= _LEAST_CHARACTERS], reverse=True) or [
        (0, "")
    ]
    random.Random(7).shuffle(others)
    pages: dict[str, Text] = {}
    left, most = characters, max(characters // 3, _LEAST_CHARACTERS)
    for _, name in [longest, *others] if longest[0] else []:
        if left <= 0:
            break
        content = Path(name).read_text(errors="replace").replace("\0", "")[: min(_MOST_CHARACTERS, most)]
        if content not in pages:
            pages[content] = Text(f"page-{len(pages)}", Path(name).name, content)
            left -= len(content)
    return list(pages.values())


def _made(characters: int) -> list[Text]:
    """The same each time: a few very long pages, and shorter ones."""
    chosen, made, left = random.Random(7), texts.articles(characters // 600), characters
    pages: list[Text] = []
    while left > 0:
        length = min(chosen.choice([900_000, 300_000, 100_000, 50_000]), left, characters // 3 + 1)
        content = "\n\n".join(text.content for text in itertools.islice(made, length // 800 + 1))
        pages.append(Text(f"page-{len(pages)}", f"Page {len(pages)}", content))
        left -= len(content)
    return pages


def _described(pages: Sequence[Text]) -> dict[str, int]:
    lengths = [len(page.content) for page in pages]
    return {"pages": len(pages), "characters": sum(lengths), "longest": max(lengths)}


# --- measuring -----------------------------------------------------------------------------------------------


def _measure(stack: Stack, options: argparse.Namespace, pages: Sequence[Text]) -> dict[str, Any]:
    stack.empty()
    stack.database.execute(_PAUSE)
    slugs, titles, contents = zip(*pages, strict=True)
    stack.database.execute(_ARTICLES, [list(slugs), list(titles), list(contents)])
    stack.database.execute(_TASKS)
    stack.settle_down()
    passages = _passages(stack)
    print_progress(f"{len(passages):,} passages")
    directly = itertools.cycle(passages)
    began, ours, own = time.monotonic(), list[float](), list[float]()
    with stack.workers(options.processes, options.threads) as workers, Usage(workers.process.pid) as used:
        while stack.value(_LIVE):
            if time.monotonic() - began > options.limit_seconds:
                break
            own.append(_directly(stack, directly, options.slice_seconds))
            if speed := _through_the_queue(stack, options.slice_seconds):
                ours.append(speed)
                print_progress(
                    f"{own[-1]:.1f} a second directly, {speed:.1f} through the queue; {stack.value(_LIVE)} tasks left"
                )
    return _judged(stack, ours, own) | {
        "cpu_seconds": used.seconds,
        "seconds": round(time.monotonic() - began),
    }


def _judged(stack: Stack, ours: list[float], own: list[float]) -> dict[str, Any]:
    computed, safe = stack.value(_COMPUTED), stack.value(_SAFE)
    return {
        "parked": stack.value(_PARKED),
        "charged": stack.value(_CHARGED),
        "left": stack.value(_LIVE),
        "passages_computed": computed,
        "passages_safe": safe,
        "wasted": round(1 - safe / computed, 4) if computed else None,
        "passages_per_second": spread(ours, digits=1) if ours else None,
        "directly_per_second": spread(own[: len(ours)], digits=1) if ours else None,
        "share_of_direct": round(sum(ours) / sum(own[: len(ours)]), 3) if ours else None,
    }


def _passages(stack: Stack) -> list[str]:
    """What the embedder will be asked for, in another order each run of the list: none is quicker for being alike."""
    render, source = (
        stack.load("embeddings.indexing.render.render"),
        stack.load("embeddings.indexing.render.Source"),
    )
    (space,) = stack.load("embeddings.models.Space").objects.all()
    query = "SELECT id, version_number, content_hash, title, content FROM articles"
    rendered = (render(space, source(*row)) for row in stack.database.execute(query).fetchall())
    return list(dict.fromkeys(chunk.text for article in rendered for chunk in article.chunks))


def _directly(stack: Stack, passages: Iterator[str], seconds: float) -> float:
    """Chunks per second of the embedder, without other clients."""
    (space,) = stack.load("embeddings.models.Space").objects.all()
    provider = stack.load("embeddings.providers.registry.provider_of")(space)
    ends = time.monotonic() + seconds

    def ask(requests: Iterator[list[str]]) -> int:
        count = 0
        while time.monotonic() < ends:
            count += len(provider.embed(next(requests), 120.0))
        return count

    began = time.monotonic()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        shares = [[next(passages) for _ in range(_TEXTS_A_REQUEST * 200)] for _ in range(_AT_ONCE)]
        counts = [pool.submit(ask, itertools.cycle(_requests(share))) for share in shares]
        return sum(count.result() for count in counts) / (time.monotonic() - began)


def _requests(passages: Sequence[str]) -> list[list[str]]:
    return [list(part) for part in itertools.batched(passages, _TEXTS_A_REQUEST)]


def _through_the_queue(stack: Stack, seconds: float) -> float | None:
    """Passages a second that became safe while workers worked; None where there was nothing left to do before that."""
    draining.resume(stack)
    try:
        stack.pause(_RUN_UP_SECONDS)
        before, began = stack.value(_SAFE), time.monotonic()
        ends = began + seconds
        wait_until(lambda: time.monotonic() >= ends or not stack.value(_LIVE), "the slice's end", seconds + 5)
        if not stack.value(_LIVE):
            return None
        return float(stack.value(_SAFE) - before) / (time.monotonic() - began)
    finally:
        stack.database.execute(_PAUSE)
        wait_until(lambda: not stack.value(_HELD), "what is in work")


if __name__ == "__main__":
    main()
