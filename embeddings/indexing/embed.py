"""Asks a provider for the vectors of articles' chunks, and finds the texts that it refuses. Knows no queue."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from embeddings.indexing.metering import FREE, Meter
from embeddings.indexing.provider_session import ProviderSession
from embeddings.indexing.render import Rendered, hash_of
from embeddings.indexing.store import stored_meanwhile
from embeddings.models import Space
from embeddings.providers.errors import REFUSALS, ErrorClass, ProviderError
from embeddings.providers.registry import provider_of
from embeddings.spaces import spec_and_counter
from embeddings.storage.vectors import WireVector
from embeddings.text.chunking import Chunk, smaller
from embeddings.text.packing import packs
from embeddings.text.tokens import estimate

# After so many refusals in a batch without vectors the provider may be at fault: each quarter was refused.
_MANY_REFUSALS = 7


@dataclass
class Vectors:
    """The result by text hash: a vector, or the error of this text alone. `instead` has, by article, the smaller chunks
    that replace chunks too long for the model. `failure` is the error that ended embedding before every text was
    sent."""

    by_hash: dict[bytes, WireVector] = field(default_factory=dict)
    errors: dict[bytes, ProviderError] = field(default_factory=dict)
    instead: dict[int, Rendered] = field(default_factory=dict)
    failure: ProviderError | None = None
    requests: int = 0
    texts: int = 0

    def error_of(self, rendered: Rendered) -> ProviderError | None:
        """The first error among an article's chunks; one failed chunk fails the article."""
        if not self.errors:
            return None
        return next((self.errors[h] for h in rendered.hashes if h in self.errors), None)


def embed(
    space: Space,
    articles: Iterable[Rendered],
    reused: dict[bytes, WireVector],
    deadline: float,
    meter: Meter = FREE,
) -> Vectors:
    """Embeds every chunk without a vector, each text once. Holds no database connection meanwhile.

    `deadline` is in seconds for all requests together. A chunk that is too long for the model is sent in smaller
    ones; a text that the provider still refuses, while it embeds others, gets its own error. Any other error ends
    embedding and is the result's `failure`, beside the vectors paid for until then.
    """
    asking, articles = ProviderSession(space, deadline, meter), list(articles)
    made = embed_with(asking, articles, reused)
    if made.failure and _teaches(asking, made.failure):
        made = embed_with(asking, articles, made.by_hash)
    return made


def _teaches(asking: ProviderSession, failure: ProviderError) -> bool:
    """Whether a harmless text after an error of the provider's own shows that it wants another form of request."""
    if failure.kind is not ErrorClass.TRANSIENT or failure.status is None:
        return False
    try:
        return asking.probe()
    except ProviderError:
        return False


def embed_with(
    asking: ProviderSession, articles: Iterable[Rendered], reused: dict[bytes, WireVector]
) -> Vectors:
    """As `embed`, with the requests, time and budget of a batch that may have used some already.

    Articles with the fewest missing chunks come first, so that most are complete when the turn ends."""
    articles = sorted(articles, key=lambda article: sum(h not in reused for h in article.hashes))
    missing = {
        text_hash: chunk
        for article in articles
        for text_hash, chunk in zip(article.hashes, article.chunks, strict=True)
        if text_hash not in reused
    }
    search = _Search(asking, missing, Vectors(dict(reused)))
    hashes, tokens = list(missing), [estimate(chunk.text) for chunk in missing.values()]
    limits = provider_of(asking.space).limits
    owner = {text_hash: n for n, article in enumerate(articles) for text_hash in article.hashes}
    patience = asking.is_patient
    try:
        for part in packs(tokens, limits.max_inputs, lambda: asking.most_tokens):
            asking.ahead = sum(tokens[part.start :])
            asking.go_on(search.result.by_hash)
            is_begun = part.start > 0 and owner[hashes[part.start]] == owner[hashes[part.start - 1]]
            asking.is_patient = patience or is_begun or bool(search.refused)
            search.isolate(hashes[part])
    except ProviderError as error:
        search.result.failure = error
    if search.too_long:
        search.result.instead = {
            article.source.article_id: _in_smaller_chunks(asking.space, article, search.too_long)
            for article in articles
            if not search.too_long.isdisjoint(article.hashes)
        }
    search.result.requests, search.result.texts = asking.requests, asking.texts
    return search.result


@dataclass
class _Search:
    """The requests for some texts, and the bisection for those that the provider refuses. `chunks` has the sent ones by
    text hash; `too_long` those that got vectors only in smaller chunks; `refused` every request not to be repeated."""

    asking: ProviderSession
    chunks: dict[bytes, Chunk]
    result: Vectors
    too_long: set[bytes] = field(default_factory=set)
    refused: dict[tuple[bytes, ...], ProviderError] = field(default_factory=dict)

    def isolate(self, hashes: list[bytes]) -> None:
        """One request; if it is too long or one text fails it, halves are sent until that text is alone, larger ones
        first, so that most texts have their vectors soon."""
        waiting = deque([hashes])
        while waiting:
            part = waiting.popleft()
            refusal = self._refusal(part)
            if refusal is None:
                continue
            if len(self.refused) >= _MANY_REFUSALS:
                self.asking.prove()
            if len(part) > 1:
                middle = len(part) // 2
                waiting += (part[:middle], part[middle:])
            elif error := self._refusal_in_pieces(part[0], refusal):
                self.asking.prove()
                self.result.errors[part[0]] = error

    def _refusal_in_pieces(self, text_hash: bytes, refusal: ProviderError) -> ProviderError | None:
        """Sends a text that was refused for its length in smaller chunks; returns the error if one of them is refused
        too. The first refused piece ends it: the others would be paid for without use."""
        if refusal.kind is not ErrorClass.TOO_LONG:
            return refusal
        pieces = {hash_of(chunk): chunk for chunk in _smaller(self.asking.space, self.chunks[text_hash])}
        if not pieces:
            return ProviderError(
                ErrorClass.TOO_LONG,
                f"{refusal}, even cut down to {len(self.chunks[text_hash].text)} characters: check how much text "
                "the model takes, then requeue the task",
            )
        self.chunks |= pieces
        self.result.by_hash |= stored_meanwhile(self.asking.space, list(pieces))
        missing = [piece for piece in pieces if piece not in self.result.by_hash]
        if missing and self._refusal(missing):
            for piece in missing:
                alone = self._refusal([piece])
                if alone and (error := self._refusal_in_pieces(piece, alone)):
                    return error
        self.too_long.add(text_hash)
        return None

    def _refusal(self, hashes: list[bytes]) -> ProviderError | None:
        """One request, its vectors added to the result; returns the error if the provider always refuses these texts.
        Raises ProviderError for everything else."""
        request = tuple(hashes)
        if known := self.refused.get(request):
            return known
        left = self.asking.left
        try:
            made = self.asking.embed([self.chunks[text_hash].text for text_hash in hashes])
        except ProviderError as error:
            if error.kind not in REFUSALS:
                raise self._of_the_batch(error, hashes, left) from error
            self.asking.is_patient = self.asking.is_searching = True
            self.refused[request] = error
            return error
        self.result.by_hash.update(zip(hashes, made, strict=True))
        return None

    def _of_the_batch(self, error: ProviderError, hashes: list[bytes], left: float) -> ProviderError:
        """The error for all texts that have no other, after a request for these failed with `error`, sent `left`
        seconds before the deadline. A request cut off by the deadline charges only texts that had most of the time."""
        if error.kind is not ErrorClass.TRANSIENT or self.asking.left > 0 or not self.asking.texts:
            return error
        if self.asking.is_greedy(left):
            self.result.errors |= dict.fromkeys(hashes, error)
        return self.asking.late()


def _smaller(space: Space, chunk: Chunk) -> list[Chunk]:
    """The chunks sent in place of one that was too long; none if it is already small."""
    spec, count = spec_and_counter(space)
    return smaller(chunk, count=count, prefix=spec.document_prefix)


def _in_smaller_chunks(space: Space, article: Rendered, too_long: set[bytes]) -> Rendered:
    """The article with the accepted smaller chunks in place of those that were too long."""

    def taken(chunk: Chunk) -> Iterator[Chunk]:
        if hash_of(chunk) not in too_long:
            yield chunk
            return
        for piece in _smaller(space, chunk):
            yield from taken(piece)

    chunks = [piece for chunk in article.chunks for piece in taken(chunk)]
    return Rendered(article.source, chunks, [hash_of(chunk) for chunk in chunks])
