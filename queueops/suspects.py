"""Tells a text that its provider fails over from a provider that fails over every text."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from embeddings import indexing
from embeddings.indexing import Meter, Rendered, Vectors
from embeddings.models import Space
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.providers.registry import provider_of
from embeddings.tokens import estimate
from embeddings.vectors import WireVector

# What any model embeds: a provider that fails over this is not failing over a text of ours.
_HARMLESS = "The quick brown fox jumps over the lazy dog."
# So many articles failing alone, with none that got through, say that the provider is at fault after all.
_MOST_ALONE = 2


def embed(
    space: Space, articles: Sequence[Rendered], reused: dict[bytes, WireVector], deadline: float, meter: Meter
) -> Vectors:
    """As `indexing.embed`; but where the provider has an error of its own (a 500, an unusable answer) and embeds a
    harmless text all the same, halves are asked until the article that it fails over stands alone: that one has the
    error, and the others have their vectors.

    One article among n costs at most 2·log2(n) + 2 requests more, a provider that fails over everything one.
    """
    ends = time.monotonic() + deadline
    made = indexing.embed(space, articles, reused, deadline, meter)
    if made.failure is not None and made.failure.kind is ErrorClass.TRANSIENT:
        _Search(space, ends, meter, made).run(articles, made.failure)
    return made


@dataclass
class _Search:
    """The further requests of one batch, up to the moment `ends`; what they give is added to `made`."""

    space: Space
    ends: float
    meter: Meter
    made: Vectors
    alone: int = 0

    def run(self, articles: Sequence[Rendered], failure: ProviderError) -> None:
        """`failure` ended the asking for these articles."""
        if not self._answers():
            return
        self.made.failure = None
        try:
            self._among(self._lacking(articles), failure)
        except ProviderError as error:
            self.made.failure = error

    def _answers(self) -> bool:
        """Whether the provider embeds a harmless text."""
        left = self.ends - time.monotonic()
        if left <= 0:
            return False
        try:
            with self.meter.call(estimate(_HARMLESS)):
                self.made.requests += 1
                provider_of(self.space).embed([_HARMLESS], left)
        except ProviderError:
            return False
        return True

    def _among(self, articles: Sequence[Rendered], failure: ProviderError) -> None:
        """These were asked for together, and met `failure`. Raises ProviderError where that is no text's fault."""
        if len(articles) == 1:
            self._blame(articles[0], failure)
            return
        middle = len(articles) // 2
        for half in (articles[:middle], articles[middle:]):
            if half and (met := self._ask(half)):
                self._among(self._lacking(half), met)

    def _ask(self, articles: Sequence[Rendered]) -> ProviderError | None:
        """The error of the provider's own that these articles met. Raises ProviderError for every other."""
        part = indexing.embed(
            self.space, articles, self.made.by_hash, self.ends - time.monotonic(), self.meter
        )
        made = self.made
        made.by_hash = part.by_hash
        made.requests += part.requests
        made.texts += part.texts
        made.errors |= part.errors
        made.instead |= part.instead
        if part.failure and (part.failure.kind is not ErrorClass.TRANSIENT or time.monotonic() >= self.ends):
            raise part.failure
        return part.failure

    def _blame(self, article: Rendered, failure: ProviderError) -> None:
        self.alone += 1
        if self.alone >= _MOST_ALONE and not self.made.texts:
            raise failure
        self.made.errors |= {
            text_hash: failure for text_hash in article.hashes if text_hash not in self.made.by_hash
        }

    def _lacking(self, articles: Sequence[Rendered]) -> list[Rendered]:
        """Those that have neither their vectors nor an error yet, as they are to be asked for."""
        present = (self.made.instead.get(article.source.article_id, article) for article in articles)
        return [article for article in present if self._lacks(article)]

    def _lacks(self, article: Rendered) -> bool:
        return self.made.error_of(article) is None and any(
            text_hash not in self.made.by_hash for text_hash in article.hashes
        )
