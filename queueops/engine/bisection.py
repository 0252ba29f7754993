"""Tells a text that its provider fails over from a provider that fails over every text."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from embeddings.indexing.embed import Vectors, embed_with
from embeddings.indexing.provider_session import ProviderSession
from embeddings.indexing.render import Rendered
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.storage.vectors import WireVector

# So many requests that failed, in a batch that got no vectors at all, say that the provider is at fault after all,
# whatever it makes of a harmless text: as many as it takes to ask for each eighth of the batch.
MOST_IN_VAIN = 15
# After so many failures in a row it is asked for a harmless text again: it may have gone out meanwhile.
PROBE_AFTER = 7
# What a provider that is out answers; another error of the harmless text says what holds up the batch.
_OUT = (ErrorClass.TRANSIENT, ErrorClass.PROVIDER_LOST, ErrorClass.PROVIDER_DOWN)
# What one text of a request may be at fault for.
_OWN = (ErrorClass.TRANSIENT, ErrorClass.PROVIDER_LOST)


def embed_isolating(
    asking: ProviderSession, articles: Sequence[Rendered], reused: dict[bytes, WireVector]
) -> Vectors:
    """As `embed_with`; but where the provider has an error of its own (a 500, an unusable answer, an exchange
    that breaks off) and embeds a harmless text all the same, halves are asked until the article that it fails over
    stands alone: that one has the error, and the others have their vectors.

    k articles among n cost at most about 2·k·log2(n) + k requests more. A provider that fails over everything costs
    one, and one that embeds nothing but a harmless text at most MOST_IN_VAIN + 2.
    """
    made = embed_with(asking, articles, reused)
    if made.failure is not None and made.failure.kind in _OWN:
        _Search(asking, made).run(articles, made.failure)
        made.requests, made.texts = asking.requests, asking.texts
    return made


@dataclass
class _Search:
    """The further requests of one batch; what they give is added to `made`. `in_vain` counts those that failed since
    the last that gave vectors; `lost` is how the provider went away in the midst, which a text may be at fault for even
    where nobody answers afterwards."""

    asking: ProviderSession
    made: Vectors
    in_vain: int = 1
    lost: ProviderError | None = None

    def run(self, articles: Sequence[Rendered], failure: ProviderError) -> None:
        """`failure` ended the asking for these articles."""
        self.asking.is_patient = self.asking.is_searching = True
        try:
            self.asking.probe()
        except ProviderError as error:
            if error.kind not in _OUT:
                self.made.failure = error
            return
        self.made.failure = None
        self.lost = failure if failure.kind is ErrorClass.PROVIDER_LOST else None
        try:
            self._among(self._lacking(articles), failure)
        except ProviderError as error:
            self.made.failure = self.lost if self.lost and error.kind in _OUT else error

    def _among(self, articles: list[Rendered], failure: ProviderError) -> None:
        """These were asked for together, and met `failure`. Larger groups are asked before smaller ones, so that most
        articles have their vectors soon. Raises ProviderError where that is no text's fault."""
        groups = deque([(articles, failure)])
        while groups:
            group, met = groups.popleft()
            if len(group) == 1:
                self._blame(group[0], met)
                continue
            middle = len(group) // 2
            for half in (group[:middle], group[middle:]):
                if half and (error := self._ask(half)):
                    groups.append((self._lacking(half), error))

    def _ask(self, articles: Sequence[Rendered]) -> ProviderError | None:
        """The error of the provider's own that these articles met. Raises ProviderError for every other."""
        made, texts = self.made, self.asking.texts
        part = embed_with(self.asking, articles, made.by_hash)
        made.by_hash = part.by_hash
        made.errors |= part.errors
        made.instead |= part.instead
        if self.asking.texts > texts:
            self.in_vain = 0
        if part.failure:
            self._note(part.failure)
        return part.failure

    def _note(self, failure: ProviderError) -> None:
        """Raises ProviderError where this failure, or what the provider makes of a harmless text after it, ends the
        search."""
        self.in_vain += 1
        is_given_up = self.in_vain >= MOST_IN_VAIN and not self.asking.texts
        if failure.kind is ErrorClass.PROVIDER_LOST:
            self.lost = failure
        if failure.kind not in _OWN or self.asking.left <= 0 or is_given_up:
            raise failure
        if self.in_vain % PROBE_AFTER == 0:
            self.asking.probe()

    def _blame(self, article: Rendered, failure: ProviderError) -> None:
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
