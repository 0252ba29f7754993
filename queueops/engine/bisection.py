"""Bisection of a failing batch: separates a text that makes its provider fail from a provider that fails every text."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from embeddings.indexing.embed import Vectors, embed_with
from embeddings.indexing.isolation import is_worth_cutting
from embeddings.indexing.provider_session import ProviderSession
from embeddings.indexing.render import Rendered
from embeddings.providers.errors import REFUSALS, ErrorClass, ProviderError
from embeddings.storage.vectors import WireVector

# A batch without any vectors after this many failed requests means that the provider is at fault, even if it embeds
# the probe text: enough requests to ask for each eighth of the batch.
MOST_IN_VAIN = 15
# After this many failures in a row the probe text is sent again: the provider may be down by now.
PROBE_AFTER = 7
# Errors of a provider that is down; any other error of the probe text is what holds up the batch.
_OUT = (ErrorClass.TRANSIENT, ErrorClass.PROVIDER_LOST, ErrorClass.PROVIDER_DOWN)
# Errors that a single text of a request can cause.
_OWN = (ErrorClass.TRANSIENT, ErrorClass.PROVIDER_LOST)


def embed_isolating(
    asking: ProviderSession, articles: Sequence[Rendered], reused: dict[bytes, WireVector]
) -> Vectors:
    """As `embed_with`; but where the provider fails by itself (a 500, an unusable reply, a broken connection) and
    still embeds a probe text, the batch is halved until the article that causes the failure is alone: it gets the
    error, and the others get their vectors.

    k bad articles among n cost at most about 2·k·log2(n) + k more requests. A provider that fails every text costs
    one, and one that embeds only the probe text at most MOST_IN_VAIN + 2.
    """
    made = embed_with(asking, articles, reused)
    if made.failure is not None and made.failure.kind in _OWN:
        _Search(asking, made).run(articles, made.failure)
        made.requests, made.texts = asking.requests, asking.texts
    return made


def _is_telling(failure: ProviderError) -> bool:
    """Whether the provider said no, or ended the exchange, rather than replied with unusable vectors or too late."""
    return failure.status is not None or failure.kind is ErrorClass.PROVIDER_LOST


@dataclass
class _Search:
    """The further requests of one batch; their vectors are added to `made`. `in_vain` counts failed requests since
    the last one that returned vectors; `lost` is the error with which the provider crashed during a request, which a
    text may have caused even if the provider stays down."""

    asking: ProviderSession
    made: Vectors
    in_vain: int = 1
    lost: ProviderError | None = None

    def run(self, articles: Sequence[Rendered], failure: ProviderError) -> None:
        """Searches these articles, whose request ended with `failure`."""
        self.asking.is_patient = self.asking.is_searching = True
        try:
            has_learned = self.asking.probe()
        except ProviderError as error:
            if error.kind not in _OUT:
                self.made.failure = error
            return
        self.made.failure = None
        self.lost = failure if failure.kind is ErrorClass.PROVIDER_LOST else None
        try:
            again = self._ask(self._lacking(articles)) if has_learned else failure
            if again:
                self._among(self._lacking(articles), again)
        except ProviderError as error:
            self.made.failure = self.lost if self.lost and error.kind in _OUT else error

    def _among(self, articles: list[Rendered], failure: ProviderError) -> None:
        """Halves a group that failed together with `failure`. Larger groups come first, so that most articles have
        their vectors soon. Raises ProviderError if no text is at fault."""
        groups = deque([(articles, failure)])
        while groups:
            group, error_of_group = groups.popleft()
            if len(group) == 1:
                self._blame(group[0], error_of_group)
                continue
            middle = len(group) // 2
            for half in (group[:middle], group[middle:]):
                if half and (error := self._ask(half)):
                    groups.append((self._lacking(half), error))

    def _ask(self, articles: Sequence[Rendered]) -> ProviderError | None:
        """The provider's own error for these articles, if any. Raises ProviderError for every other error."""
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
        """Raises ProviderError if this failure, or the probe text after it, ends the search."""
        self.in_vain += 1
        is_abandoned = self.in_vain >= MOST_IN_VAIN and not self.asking.texts
        if failure.kind is ErrorClass.PROVIDER_LOST:
            self.lost = failure
        if failure.kind not in _OWN or self.asking.left <= 0 or is_abandoned:
            raise failure
        if self.in_vain % PROBE_AFTER == 0:
            self.asking.probe()

    def _blame(self, article: Rendered, failure: ProviderError) -> None:
        """Charges an article that fails alone. A long one is tried in parts first, whatever the provider said: it may
        find the text too long, and then only the chunk that fails in small pieces, too, is charged."""
        lacking = [text_hash for text_hash in article.hashes if text_hash not in self.made.by_hash]
        if _is_telling(failure) and self._is_long(article, lacking):
            self._in_parts(article)
            return
        self.made.errors |= dict.fromkeys(lacking, failure)

    def _is_long(self, article: Rendered, lacking: Sequence[bytes]) -> bool:
        chunks = dict(zip(article.hashes, article.chunks, strict=True))
        return len(lacking) > 1 or any(is_worth_cutting(self.asking.space, chunks[one]) for one in lacking)

    def _in_parts(self, article: Rendered) -> None:
        made, errors = self.made, self.made.errors
        part = embed_with(self.asking, [article], made.by_hash, blamed=(*REFUSALS, *_OWN))
        made.by_hash = part.by_hash
        made.instead |= part.instead
        if part.failure:
            raise part.failure
        if part.errors:
            self.asking.probe()  # the provider may have gone down meanwhile
        made.errors = errors | part.errors

    def _lacking(self, articles: Sequence[Rendered]) -> list[Rendered]:
        """The articles that have neither vectors nor an error yet, in the form to send next."""
        present = (self.made.instead.get(article.source.article_id, article) for article in articles)
        return [article for article in present if self._lacks(article)]

    def _lacks(self, article: Rendered) -> bool:
        return self.made.error_of(article) is None and any(
            text_hash not in self.made.by_hash for text_hash in article.hashes
        )
