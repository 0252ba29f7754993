"""From articles' texts to the chunks and vectors of one space: render, reuse, embed, store. Knows no queue."""

import contextlib
import hashlib
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol
from uuid import UUID

from embeddings import vectors
from embeddings.chunking import Chunk, chunks_of
from embeddings.models import Space
from embeddings.packing import packs
from embeddings.providers.base import Matrix
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.providers.registry import provider_of
from embeddings.spaces import spec_and_counter
from embeddings.tokens import estimate
from embeddings.vectors import StoredChunk, WireVector

_NOTHING_HASH = b"\0" * 16


class Source(NamedTuple):
    """The text of an article as it was read; version and hash say later whether it is still the current one."""

    article_id: int
    version_number: int
    content_hash: UUID
    title: str
    content: str


class Rendered(NamedTuple):
    source: Source
    chunks: list[Chunk]
    hashes: list[bytes]


@dataclass
class Vectors:
    """What embedding gave, by text hash: a vector, or the error that this text alone met. `failure` is the error that
    ended it before every text was asked for."""

    by_hash: dict[bytes, WireVector] = field(default_factory=dict)
    errors: dict[bytes, ProviderError] = field(default_factory=dict)
    failure: ProviderError | None = None
    requests: int = 0
    texts: int = 0

    def error_of(self, rendered: Rendered) -> ProviderError | None:
        """The first error among an article's chunks; one failed chunk fails the article."""
        if not self.errors:
            return None
        return next((self.errors[h] for h in rendered.hashes if h in self.errors), None)


class Meter(Protocol):
    """Measures what is asked of a provider."""

    @property
    def most_tokens(self) -> int:
        """How many tokens one request may have."""
        ...

    def call(self, tokens: int) -> contextlib.AbstractContextManager[None]:
        """Entered for the length of one request with about so many tokens. Raises ProviderError where it must not be
        made now."""
        ...


class _Free:
    """No limit, at no cost."""

    most_tokens = sys.maxsize

    def call(self, tokens: int) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


FREE: Meter = _Free()


def text_hash(text: str) -> bytes:
    """BLAKE2b-128 of a chunk as the provider reads it."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def render(space: Space, source: Source) -> Rendered:
    """The chunks that stand for an article in a space, with their hashes."""
    spec, count = spec_and_counter(space)
    chunks = chunks_of(
        source.title,
        source.content,
        budget=space.chunk_tokens,
        overlap=space.chunk_overlap,
        count=count,
        prefix=spec.document_prefix,
    )
    return Rendered(source, chunks, [text_hash(chunk.text) for chunk in chunks])


def reusable(space: Space, articles: Iterable[Rendered]) -> dict[bytes, WireVector]:
    """The vectors that these articles' chunks have in the space already: unchanged text is never paid for twice."""
    hashes = {text_hash for article in articles for text_hash in article.hashes}
    return vectors.known(space.pk, list(hashes)) if hashes else {}


def embed(
    space: Space,
    articles: Iterable[Rendered],
    reused: dict[bytes, WireVector],
    deadline: float,
    meter: Meter = FREE,
) -> Vectors:
    """Asks the provider for every chunk that has no vector yet, each text once. Holds no database connection.

    `deadline` is in seconds for all requests together. A text that the provider refuses gets an error of its own; any
    other error ends the asking and is the answer's `failure`, beside the vectors that were paid for until then.
    """
    missing = {
        text_hash: chunk.text
        for article in articles
        for text_hash, chunk in zip(article.hashes, article.chunks, strict=True)
        if text_hash not in reused
    }
    asking = _Asking(space, time.monotonic() + deadline, meter, Vectors(dict(reused)))
    hashes, texts = list(missing), list(missing.values())
    limits = provider_of(space).limits
    most_tokens = min(limits.max_tokens, meter.most_tokens)
    try:
        for part in packs([estimate(text) for text in texts], limits.max_inputs, most_tokens):
            asking.isolating(hashes[part], texts[part])
    except ProviderError as error:
        asking.result.failure = error
    return asking.result


@dataclass
class _Asking:
    """The requests of one batch, up to the moment `ends`."""

    space: Space
    ends: float
    meter: Meter
    result: Vectors

    def isolating(self, hashes: list[bytes], texts: list[str]) -> None:
        """One request; where one text spoils it, halves are asked until that text stands alone."""
        try:
            matrix = self._once(texts)
        except ProviderError as error:
            if error.kind not in (ErrorClass.INVALID_INPUT, ErrorClass.TOO_LONG):
                raise
            if len(texts) == 1:
                self.result.errors[hashes[0]] = error
                return
            middle = len(texts) // 2
            self.isolating(hashes[:middle], texts[:middle])
            self.isolating(hashes[middle:], texts[middle:])
            return
        self.result.texts += len(texts)
        self.result.by_hash.update(zip(hashes, vectors.to_wire(matrix), strict=True))

    def _once(self, texts: list[str]) -> Matrix:
        left = self.ends - time.monotonic()
        if left <= 0:
            raise ProviderError(
                ErrorClass.TRANSIENT, "the deadline passed before every text of the batch was embedded"
            )
        tokens = 0 if self.meter is FREE else sum(map(estimate, texts))
        with self.meter.call(tokens):
            self.result.requests += 1
            return provider_of(self.space).embed(texts, left)


def store(space: Space, articles: Sequence[Rendered], by_hash: dict[bytes, WireVector]) -> None:
    """Makes these the only vectors that the articles have in the space; call it inside a transaction."""
    if articles:
        ids = [article.source.article_id for article in articles]
        vectors.replace(space.pk, ids, (row for article in articles for row in _rows(article, by_hash)))


def _rows(article: Rendered, by_hash: dict[bytes, WireVector]) -> Iterable[StoredChunk]:
    source, total = article.source, len(article.chunks)
    if not total:
        yield StoredChunk(
            source.article_id, 0, 0, 0, 0, _NOTHING_HASH, source.version_number, source.content_hash, None
        )
    for index, (chunk, text_hash) in enumerate(zip(article.chunks, article.hashes, strict=True)):
        yield StoredChunk(
            source.article_id,
            index,
            total,
            chunk.start,
            chunk.end,
            text_hash,
            source.version_number,
            source.content_hash,
            by_hash[text_hash],
        )
