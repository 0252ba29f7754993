"""Whether searches find the right article: judged questions over Python's documentation, in each mode, with the local
model. Vectors are kept in a file, so that only the first run waits for the model."""

import argparse
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management import call_command

from benchmarks.tools import judged
from benchmarks.tools.judged import Judged
from benchmarks.tools.report import print_progress, print_result
from benchmarks.tools.stack import Stack, own_stack, wait_until
from config.stack import services

MODES = ("semantic", "keyword", "hybrid")
_BATCH = 20
_SECONDS = 120.0
_TEXTS = "SELECT id, version_number, content_hash, title, content FROM articles ORDER BY id"
_KEEP = "DELETE FROM articles WHERE slug <> ALL(%s)"


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    with own_stack(
        EMBEDDING_PROVIDER="local", EMBEDDING_MODEL="all-MiniLM-L6-v2", EMBEDDING_DIMENSIONS=""
    ) as stack:
        (embedder,) = services.embedder()
        stack.run(embedder)
        questions = _corpus(stack, options.questions)
        _embed(stack, options.vectors)
        stack.settle_down()
        print_result("quality", options, _measured(stack, questions))


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench quality", description=__doc__)
    add = parser.add_argument
    add(
        "--questions",
        type=int,
        default=0,
        help="only the first so many, over their own articles (default: all)",
    )
    add(
        "--vectors",
        default="var/quality-vectors.npz",
        help="file that keeps the vectors; empty: none does (default: %(default)s)",
    )
    return parser.parse_args(words)


def _corpus(stack: Stack, most: int) -> list[Judged]:
    call_command("import_articles", "--pydoc", stdout=io.StringIO())
    slugs = [slug for (slug,) in stack.database.execute("SELECT slug FROM articles").fetchall()]
    questions = judged.read(slugs)
    if most:
        questions = questions[:most]
        stack.database.execute(_KEEP, [[slug for one in questions for slug in one.answers | one.helps]])
    return questions


def _embed(stack: Stack, file: str) -> None:
    """Vectors of every article: those that the file has, the others from the model."""
    known = _read(Path(file)) if file else {}
    space = stack.load("embeddings.models.Space").objects.serving()
    render, source = (
        stack.load("embeddings.indexing.render.render"),
        stack.load("embeddings.indexing.render.Source"),
    )
    embed, store = (
        stack.load("embeddings.indexing.embed.embed"),
        stack.load("embeddings.indexing.store.store"),
    )
    rows = stack.database.execute(_TEXTS).fetchall()
    for first in range(0, len(rows), _BATCH):
        rendered = [render(space, source(*row)) for row in rows[first : first + _BATCH]]
        made = embed(space, rendered, known, _SECONDS)
        known |= made.by_hash
        store(space, rendered, known)
        print_progress(f"embedded {min(first + _BATCH, len(rows))} of {len(rows)} articles")
    if file:
        _write(Path(file), known)


def _read(file: Path) -> dict[bytes, bytes]:
    if not file.exists():
        return {}
    with np.load(file) as kept:  # by default it makes no objects
        return {bytes(key): bytes(value) for key, value in zip(kept["hashes"], kept["vectors"], strict=True)}


def _write(file: Path, known: dict[bytes, bytes]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    hashes, vectors = (
        np.array([[*one] for one in ones], np.uint8) for ones in (known.keys(), known.values())
    )
    np.savez(file, hashes=hashes, vectors=vectors)


def _measured(stack: Stack, questions: Sequence[Judged]) -> dict[str, Any]:
    rankings = {mode: list(_rankings(stack, questions, mode)) for mode in MODES}
    halves = {"tuning": slice(0, None, 2), "reporting": slice(1, None, 2)}
    return {
        half: {mode: judged.measures(questions[part], rankings[mode][part]) for mode in MODES}
        for half, part in halves.items()
    }


def _rankings(stack: Stack, questions: Sequence[Judged], mode: str) -> Iterator[list[str]]:
    search, modes = stack.load("embeddings.search.search"), stack.load("embeddings.search.SearchMode")
    for one in questions:
        replies: list[Any] = []

        def answered(question: str = one.question, replies: list[Any] = replies) -> bool:
            replies[:] = [search(question, mode=modes(mode))]
            return not replies[0].degraded  # a busy machine may be late with the vector of a question

        wait_until(answered, f"the answer to {one.question!r}")
        yield [hit.slug for hit in replies[0].hits]


if __name__ == "__main__":
    main()
