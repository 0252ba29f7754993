"""An embedded corpus for search tests, through the real way of a text."""

from typing import Any

from articles.models import Article
from embeddings.indexing.embed import embed
from embeddings.indexing.render import Source, render
from embeddings.indexing.store import store
from embeddings.models import Space
from tests.queueops.factories import make_space

TEXTS = {
    "zipfile": "Read and write ZIP archives. A zip file holds many compressed members.",
    "argparse": "Parser for command line options, arguments and subcommands.",
    "threading": "Run code in another thread and wait for it to end.",
    "json": "Encode and decode the JSON data format.",
}


def make_corpus(metadata: dict[str, Any] | None = None) -> Space:
    """Four articles with vectors in a 64-wide serving space."""
    space = make_space(dimensions=64)
    for title, content in TEXTS.items():
        Article(title=title, content=content, metadata={"name": title, **(metadata or {})}).save()
    embed_all(space)
    return space


def embed_all(space: Space) -> None:
    """Every article's current text, in this space."""
    sources = [
        Source(a.pk, a.version_number, a.content_hash, a.title, a.content)
        for a in Article.objects.order_by("id")
    ]
    for at in range(0, len(sources), 200):
        rendered = [render(space, source) for source in sources[at : at + 200]]
        store(space, rendered, embed(space, rendered, {}, 20).by_hash)
