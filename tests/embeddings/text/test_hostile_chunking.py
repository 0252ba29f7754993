"""Texts of many characters and few tokens, or without the usual boundaries: chunks are bounded, nothing is lost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from embeddings.indexing.embed import embed
from embeddings.indexing.render import Source, render
from embeddings.models import ArticleEmbedding
from embeddings.search import search
from embeddings.search.reply import MAX_SNIPPET
from embeddings.servers.local_embedder import protocol, wordpiece
from embeddings.text.chunking import MAX_CHARACTERS, chunks_of
from embeddings.text.tokens import estimate
from tests.embeddings.search.making import embed_all
from tests.queueops.factories import make_article, make_space

pytestmark = pytest.mark.process

LONG = 300_000
TEXTS = {
    "newlines": "zebraquux" + "\n" * LONG + "end",
    "blanks": "zebraquux" + " " * LONG + "end",
    "tabs": "zebraquux" + "\t" * LONG + "end",
    "paragraphs of nothing": "zebraquux" + "\n \n" * (LONG // 3) + "end",
    "zero-width": "zebraquux " + "\u200b" * LONG + " end",
    "combining marks": "zebraquux " + "\u0301" * LONG + " end",
    "one long word": "zebraquux " + "a" * 500_000 + " end",
    "no word at all": "\u200b" * LONG,
    "white space first": "\n" * LONG + "zebraquux",
    "white space last": "zebraquux" + "\u2003" * LONG,
    "two words a page": ("zebraquux" + " " * 20_000) * 15,
}


@pytest.mark.parametrize("count", [wordpiece.count, estimate])
@pytest.mark.parametrize("name", TEXTS)
def test_every_chunk_is_bounded_and_no_word_is_lost(name: str, count: Callable[..., Any]) -> None:
    text = TEXTS[name]
    chunks = chunks_of("Title", text, budget=250, overlap=20, count=count, prefix="passage: ")
    assert all(0 < len(chunk.text) <= MAX_CHARACTERS and count(chunk.text) <= 250 for chunk in chunks)
    shown = {at for chunk in chunks for at in range(chunk.start, chunk.end)}
    assert not [at for at, character in enumerate(text) if not character.isspace() and at not in shown]


def test_a_chunk_is_within_what_the_local_embedder_reads() -> None:
    assert MAX_CHARACTERS * 2 <= protocol.MAX_CHARACTERS


def test_a_text_of_white_space_between_two_words_is_few_chunks() -> None:
    assert len(chunks_of("T", TEXTS["newlines"], budget=250, overlap=0, count=wordpiece.count)) == 2


@pytest.mark.django_db
@pytest.mark.usefixtures("on_socket")
def test_they_embed_with_the_real_local_embedder(folder: Path, settings: Settings) -> None:
    settings.LOCAL_EMBEDDER_PORT, settings.LOCAL_EMBEDDER_SOCKET = 0, folder / "embedder.sock"
    space = make_space(provider="local", model="all-MiniLM-L6-v2", dimensions=384, chunk_tokens=250)
    for name, text in TEXTS.items():
        source = Source(1, 1, make_article(name).content_hash, name, text)
        rendered = render(space, source)
        found = embed(space, [rendered], {}, 60)
        assert not found.errors, (name, found.errors)
        assert set(found.by_hash) == set(rendered.hashes), name


@pytest.mark.django_db
@pytest.mark.usefixtures("provider", "clean_cache")
@pytest.mark.parametrize("name", ["newlines", "white space first", "two words a page"])
def test_its_snippet_is_bounded_in_the_api_and_on_the_page(name: str, client: Client) -> None:
    space = make_space(dimensions=64)
    make_article("Hostile", TEXTS[name])
    embed_all(space)
    assert ArticleEmbedding.objects.exists()
    (hit,) = search("zebraquux").hits
    assert "zebraquux" in hit.snippet
    assert len(hit.snippet) <= MAX_SNIPPET
    page = client.get("/search", {"q": "zebraquux"}).content
    assert b"zebraquux" in page
    assert len(page) < 20_000
