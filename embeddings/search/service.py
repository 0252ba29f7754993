"""One search from question to reply, whatever the provider does."""

import time
from typing import Any

from articles.filters import Where, where
from embeddings import embedding_switch, recipes
from embeddings.models import Space
from embeddings.providers.errors import ProviderError
from embeddings.search import fusion, keyword, semantic, serving
from embeddings.search.query_vector import query_vector
from embeddings.search.reply import Found, Reply, SearchMode
from embeddings.storage.vectors import WireVector
from lib.nfc import nfc, nfc_json

# how deep each ranking goes before two are fused
_FUSE_FROM = 50


class _CannotEmbed(Exception):
    """The reason for keywords only, in a sentence for the reader."""


def search(
    query: str,
    *,
    k: int = 10,
    mode: SearchMode = SearchMode.SEMANTIC,
    filter: dict[str, Any] | None = None,
) -> Reply:
    """The k best articles for a query of 1 to 1,000 characters, in the serving space.

    `filter` keeps only articles whose metadata fits it (articles/filters); both are read in Unicode's composed form
    (NFC), as articles are written. Raises InvalidFilter. If the query cannot be embedded, keywords are used and the
    reply is marked degraded; it never raises because of a provider.
    """
    started = time.perf_counter()
    query, kept = nfc(query), where(nfc_json(filter))
    space = serving.space()
    vector, reason = None, ""
    if mode is not SearchMode.KEYWORD:
        try:
            vector = _vector(space, query)
        except _CannotEmbed as error:
            reason = str(error)
    embedded = time.perf_counter()
    answered_by = mode if vector is not None else SearchMode.KEYWORD
    found = _answer(answered_by, space, vector, query, k, kept)
    ended = time.perf_counter()
    return Reply(
        hits=found.hits,
        mode=mode,
        answered_by=answered_by,
        space=str(space) if space and vector is not None else None,
        path=found.path,
        degraded=bool(reason),
        reason=reason,
        timing_ms={
            "embed": _ms(embedded - started),
            "search": _ms(ended - embedded),
            "total": _ms(ended - started),
        },
    )


def _vector(space: Space | None, query: str) -> WireVector:
    if not embedding_switch.is_on():
        raise _CannotEmbed("search by meaning is switched off")
    if space is None:
        raise _CannotEmbed("no embedding space serves yet")
    if not recipes.fits(space):
        raise _CannotEmbed("the serving space has vectors of another recipe than this server makes")
    try:
        return query_vector(space, query)
    except ProviderError as error:
        raise _CannotEmbed(
            f"the embedding provider gave no answer ({error.kind.value.replace('_', ' ')})"
        ) from error


def _answer(
    mode: SearchMode,
    space: Space | None,
    vector: WireVector | None,
    query: str,
    k: int,
    kept: Where,
) -> Found:
    if mode is SearchMode.KEYWORD or space is None or vector is None:
        return keyword.matching(query, k, kept)
    if mode is SearchMode.SEMANTIC:
        return semantic.nearest(space, vector, k, kept)
    depth = max(k, _FUSE_FROM)
    by_meaning = semantic.nearest(space, vector, depth, kept)
    by_words = keyword.matching(query, depth, kept)
    return Found(fusion.fuse(by_meaning.hits, by_words.hits, k), f"{by_meaning.path} + {by_words.path}")


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
