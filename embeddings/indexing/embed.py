"""Asks a provider for the vectors of articles' chunks. Knows no queue."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from embeddings.indexing.isolation import Isolation, in_smaller_chunks
from embeddings.indexing.metering import FREE, Meter
from embeddings.indexing.provider_session import ProviderSession
from embeddings.indexing.render import Rendered
from embeddings.models import Space
from embeddings.providers.errors import REFUSALS, ErrorClass, ProviderError
from embeddings.storage.vectors import WireVector
from embeddings.text.packing import packs
from embeddings.text.tokens import estimate


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
    asking: ProviderSession,
    articles: Iterable[Rendered],
    reused: dict[bytes, WireVector],
    blamed: Collection[ErrorClass] = REFUSALS,
) -> Vectors:
    """As `embed`, with the requests, time and budget of a batch that may have used some already. Errors of the classes
    `blamed` are put down to a text, which is searched for.

    Articles with the fewest missing chunks come first, so that most are complete when the turn ends."""
    articles = sorted(
        articles,
        key=lambda article: sum(h not in reused for h in article.hashes) if reused else len(article.hashes),
    )
    missing = {
        text_hash: chunk
        for article in articles
        for text_hash, chunk in zip(article.hashes, article.chunks, strict=True)
        if text_hash not in reused
    }
    result = Vectors(dict(reused))
    search = Isolation(asking, missing, result.by_hash, result.errors, blamed)
    try:
        _send(asking, articles, search)
    except ProviderError as error:
        result.failure = error
    if search.too_long:
        result.instead = {
            article.source.article_id: in_smaller_chunks(asking.space, article, search.too_long)
            for article in articles
            if not search.too_long.isdisjoint(article.hashes)
        }
    result.requests, result.texts = asking.requests, asking.texts
    return result


def _send(asking: ProviderSession, articles: Sequence[Rendered], search: Isolation) -> None:
    """Sends the chunks of these articles in as many requests as they need. Raises ProviderError."""
    hashes, tokens = list(search.chunks), [estimate(chunk.text) for chunk in search.chunks.values()]
    owner = {text_hash: n for n, article in enumerate(articles) for text_hash in article.hashes}
    patience = asking.is_patient
    for part in packs(tokens, lambda: asking.most_inputs, lambda: asking.most_tokens):
        asking.ahead = sum(tokens[part.start :])
        asking.go_on(search.by_hash)
        is_begun = part.start > 0 and owner[hashes[part.start]] == owner[hashes[part.start - 1]]
        asking.is_patient = patience or is_begun or bool(search.refused)
        search.isolate(hashes[part])
