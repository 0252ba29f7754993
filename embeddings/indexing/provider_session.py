"""The requests of one batch to its provider: one deadline, one turn and one budget for all of them."""

import time
from collections.abc import Callable, Mapping

from embeddings.indexing import provider_pace
from embeddings.indexing.metering import FREE, Meter
from embeddings.models import Space
from embeddings.providers.base import HARMLESS
from embeddings.providers.errors import REFUSALS, ErrorClass, NotAskedError, PostponedError, ProviderError
from embeddings.providers.registry import provider_of
from embeddings.storage import vectors
from embeddings.storage.vectors import WireVector
from embeddings.text.tokens import estimate

# The shortest wait for our own budget, and the shortest first rest after a 429; each further one is twice as long.
_LOOK_SECONDS, _REST_SECONDS = 0.25, 1.0
# About one chunk: smaller requests gain nothing.
_PASSAGE_TOKENS = 256


def _never(seconds: float) -> bool:
    return False


def _go_on(made: Mapping[bytes, WireVector]) -> bool:
    return True


class ProviderSession:
    """`seconds` for all requests together; `texts` counts those of the batch that got vectors.

    `rest` waits for so many seconds, or returns False if it must not wait. It is called only while `is_patient`: a
    batch that stops within a bisection, or an article, would start it again and send the same again.
    `between` is called between two requests with the vectors so far, and returns False if the batch's turn is over,
    which does not end a bisection. `share` reduces the size of requests after a failed attempt.
    """

    def __init__(
        self,
        space: Space,
        seconds: float,
        meter: Meter = FREE,
        rest: Callable[[float], bool] = _never,
        between: Callable[[Mapping[bytes, WireVector]], bool] = _go_on,
        share: float = 1.0,
    ) -> None:
        self.space = space
        self.meter = meter
        self.requests = self.texts = 0
        self.is_patient = False
        self.is_searching = False  # for the text that causes an error
        self.ahead = 0  # tokens not sent yet
        self.pace = provider_pace.of(space)
        self._rest = rest
        self._between = between
        self._share = share
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        self._is_proven = False

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self._ends - time.monotonic()

    @property
    def most_tokens(self) -> int:
        """How many tokens the next request may have."""
        limits = provider_of(self.space).limits
        room = self.pace.speed.room
        fitting = max(int(room * self._share), min(room, _PASSAGE_TOKENS))
        return self.pace.limits.tokens.most(min(limits.max_tokens, self.meter.most_tokens, fitting))

    @property
    def most_inputs(self) -> int:
        """How many texts the next request may have."""
        return self.pace.limits.inputs.most(provider_of(self.space).limits.max_inputs)

    def go_on(self, made: Mapping[bytes, WireVector]) -> None:
        """Call it before each request with the vectors so far. Raises PostponedError if the turn is over; each turn
        has at least one request."""
        if self.requests and not self._between(made) and not self.is_searching:
            raise PostponedError

    def is_greedy(self, began: float) -> bool:
        """Whether an unanswered request, sent with `began` seconds left, had most of the time."""
        return began >= self._seconds / 2

    def embed(self, texts: list[str]) -> list[WireVector]:
        """One request: the vectors of these texts. Raises ProviderError."""
        tokens = sum(map(estimate, texts))
        made = self._patiently(texts, tokens)
        self.texts += len(texts)
        self.pace.limits.accept(len(texts), tokens)
        return made

    def probe(self) -> bool:
        """Sends a harmless text; raises its ProviderError, which no text has caused. Returns whether the provider is
        asked in another form since, so that what it refused may be accepted now."""
        before = provider_of(self.space).dialect
        try:
            self._patiently([HARMLESS], estimate(HARMLESS))
        except ProviderError as error:
            if error.kind not in REFUSALS:
                raise
            raise ProviderError(
                ErrorClass.PROVIDER_DOWN,
                f"{error}, even a harmless one: check the model's name and its dimensions",
            ) from error
        self._is_proven = True
        return provider_of(self.space).dialect != before

    def prove(self) -> None:
        """As `probe`, unless the provider has embedded something in this batch."""
        if not self.texts and not self._is_proven:
            self.probe()

    def _patiently(self, texts: list[str], tokens: int) -> list[WireVector]:
        rests = 0
        while True:
            try:
                return self._request(texts, tokens)
            except ProviderError as error:
                if error.kind is not ErrorClass.RATE_LIMITED or not self._has_rested(error, rests):
                    raise
            rests += 1

    def _has_rested(self, error: ProviderError, rests: int) -> bool:
        least = _LOOK_SECONDS if isinstance(error, NotAskedError) else _REST_SECONDS * 2.0**rests
        seconds = max(error.retry_after or 0.0, least)
        return self.is_patient and seconds < self.left and self._rest(seconds)

    def _request(self, texts: list[str], tokens: int) -> list[WireVector]:
        if self.left <= 0:
            raise self.late()
        with self.pace.request(tokens, self.ahead, lambda: self.left <= 0) as has_turn:
            if not has_turn:
                raise PostponedError
            with self.meter.call(tokens):
                self.requests += 1
                return vectors.to_wire(provider_of(self.space).embed(texts, self.left))

    def late(self) -> ProviderError:
        """The error of a text that was not sent before the deadline: it is not charged if others of the batch got their
        vectors."""
        if self.texts:
            return PostponedError()
        return ProviderError(
            ErrorClass.TRANSIENT, "the deadline passed before every text of the batch was embedded"
        )
