"""Finds the texts that a provider refuses among others, the size of request that it accepts, and the parts of a long
text that it accepts. Knows no queue."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from embeddings.indexing.provider_session import ProviderSession
from embeddings.indexing.render import Rendered, hash_of
from embeddings.indexing.store import stored_meanwhile
from embeddings.models import Space
from embeddings.providers.errors import REFUSALS, ErrorClass, ProviderError
from embeddings.recipes import spec_and_counter
from embeddings.storage.vectors import WireVector
from embeddings.text.chunking import FLOOR_TOKENS, Chunk, smaller
from embeddings.text.tokens import estimate

# After so many refusals in a batch without vectors the provider may be at fault: each quarter was refused.
_MANY_REFUSALS = 7
# A refusal that does not name the length as its reason is tried in smaller texts down to this many tokens.
_FLOOR_WITHOUT_HINT = 64
# A hint below this would be a text's number rather than a limit.
_LEAST_HINT = 2


@dataclass
class Isolation:
    """The requests for some texts: `chunks` has the sent ones by text hash, `by_hash` and `errors` their results;
    `too_long` those that got vectors only in smaller chunks; `refused` every request not to be repeated; `blamed` the
    errors that a text may have caused."""

    asking: ProviderSession
    chunks: dict[bytes, Chunk]
    by_hash: dict[bytes, WireVector]
    errors: dict[bytes, ProviderError]
    blamed: Collection[ErrorClass] = REFUSALS
    too_long: set[bytes] = field(default_factory=set)
    refused: dict[tuple[bytes, ...], ProviderError] = field(default_factory=dict)

    def isolate(self, hashes: list[bytes]) -> bool:
        """One request; if it is refused, its parts, until each text has vectors, smaller chunks or its own error.
        Returns whether all have vectors as they are: then only the size of the request was at fault."""
        if len(hashes) > (most := self.asking.most_inputs):
            return self._in_parts(hashes, most)
        refusal = self._refusal(hashes)
        if refusal is None:
            return True
        if len(self.refused) >= _MANY_REFUSALS:
            self.asking.prove()
        if len(hashes) == 1:
            self._alone(hashes[0], refusal)
            return False
        named = _limit_named(len(hashes), refusal)
        is_whole = self._in_parts(hashes, named or -(-len(hashes) // 2))
        if is_whole:
            self.asking.pace.limits.refuse(len(hashes), self._tokens(hashes))
            if named:
                self.asking.pace.limits.inputs.refuse(named + 1)
        return is_whole

    def _in_parts(self, hashes: list[bytes], step: int) -> bool:
        is_whole = True
        for at in range(0, len(hashes), step):
            is_whole = self.isolate(hashes[at : at + step]) and is_whole
        return is_whole

    def _alone(self, text_hash: bytes, refusal: ProviderError) -> None:
        before = set(self.by_hash)
        if error := self._refusal_in_pieces(text_hash, refusal):
            for piece in self.by_hash.keys() - before:
                del self.by_hash[piece]  # kept, they would count as progress at each attempt
            self.asking.prove()
            self.errors[text_hash] = error

    def _refusal_in_pieces(self, text_hash: bytes, refusal: ProviderError) -> ProviderError | None:
        """Sends a refused text in smaller chunks: whatever a server says, it may have found it too long. Returns the
        error if one of them is refused too. The first refused piece ends it: the others would be paid for in vain."""
        is_hinted = refusal.kind is ErrorClass.TOO_LONG
        floor = FLOOR_TOKENS if is_hinted else _FLOOR_WITHOUT_HINT
        pieces = {
            hash_of(chunk): chunk for chunk in _smaller(self.asking.space, self.chunks[text_hash], floor)
        }
        if not pieces:
            return self._in_vain(text_hash, refusal) if is_hinted else refusal
        self.chunks |= pieces
        self.by_hash |= stored_meanwhile(self.asking.space, list(pieces))
        missing = [piece for piece in pieces if piece not in self.by_hash]
        if missing and self._refusal(missing):
            for piece in missing:
                alone = self._refusal([piece])
                if alone and (error := self._refusal_in_pieces(piece, alone)):
                    return error
        self.too_long.add(text_hash)
        return None

    def _in_vain(self, text_hash: bytes, refusal: ProviderError) -> ProviderError:
        return ProviderError(
            ErrorClass.TOO_LONG,
            f"{refusal}, even cut down to {len(self.chunks[text_hash].text)} characters: check how much text "
            "the model takes, then requeue the task",
        )

    def _refusal(self, hashes: list[bytes]) -> ProviderError | None:
        """One request, its vectors added to the result; returns the error if a text may have caused it. Raises
        ProviderError for everything else."""
        request = tuple(hashes)
        if known := self.refused.get(request):
            return known
        left = self.asking.left
        try:
            made = self.asking.embed([self.chunks[text_hash].text for text_hash in hashes])
        except ProviderError as error:
            if not self._is_blamed(error):
                raise self._of_the_batch(error, hashes, left) from error
            self.asking.is_patient = self.asking.is_searching = True
            self.refused[request] = error
            return error
        self.by_hash.update(zip(hashes, made, strict=True))
        return None

    def _is_blamed(self, error: ProviderError) -> bool:
        """A text may cause a refusal, and, where the batch is searched for it, a status or the exchange's end."""
        if error.kind in REFUSALS:
            return True
        is_telling = error.status is not None or error.kind is ErrorClass.PROVIDER_LOST
        return error.kind in self.blamed and is_telling and self.asking.left > 0

    def _of_the_batch(self, error: ProviderError, hashes: list[bytes], left: float) -> ProviderError:
        """The error for all texts that have no other, after a request for these failed with `error`, sent `left`
        seconds before the deadline. A request cut off by the deadline charges only texts that had most of the time."""
        if error.kind is not ErrorClass.TRANSIENT or self.asking.left > 0 or not self.asking.texts:
            return error
        if self.asking.is_greedy(left):
            self.errors |= dict.fromkeys(hashes, error)
        return self.asking.late()

    def _tokens(self, hashes: list[bytes]) -> int:
        return sum(estimate(self.chunks[text_hash].text) for text_hash in hashes)


def _limit_named(count: int, refusal: ProviderError) -> int | None:
    """The limit of texts that the server's words may name, below the number that was refused."""
    hints = [number for number in refusal.numbers if _LEAST_HINT <= number < count]
    return max(hints) if refusal.kind is ErrorClass.TOO_LONG and hints else None


def is_worth_cutting(space: Space, chunk: Chunk) -> bool:
    """Whether a text that fails is long enough to be tried in smaller chunks."""
    return bool(_smaller(space, chunk, _FLOOR_WITHOUT_HINT))


def in_smallest_chunks(space: Space, article: Rendered, hashes: Collection[bytes]) -> Rendered:
    """The article with each of these chunks in the smallest ones that a failing text is tried in."""

    def cut(chunk: Chunk) -> Iterator[Chunk]:
        pieces = _smaller(space, chunk, _FLOOR_WITHOUT_HINT)
        yield from (each for piece in pieces for each in cut(piece)) if pieces else [chunk]

    chunks = [
        piece
        for chunk, text_hash in zip(article.chunks, article.hashes, strict=True)
        for piece in (cut(chunk) if text_hash in hashes else [chunk])
    ]
    return Rendered(article.source, chunks, [hash_of(chunk) for chunk in chunks])


def _smaller(space: Space, chunk: Chunk, floor: int) -> list[Chunk]:
    """The chunks sent in place of one that was too long; none if it is already small."""
    spec, count = spec_and_counter(space)
    return smaller(chunk, count=count, prefix=spec.document_prefix, floor=floor)


def in_smaller_chunks(
    space: Space, article: Rendered, too_long: set[bytes], floor: int = FLOOR_TOKENS
) -> Rendered:
    """The article with the accepted smaller chunks in place of those that were too long."""

    def taken(chunk: Chunk) -> Iterator[Chunk]:
        if hash_of(chunk) not in too_long:
            yield chunk
            return
        for piece in _smaller(space, chunk, floor):
            yield from taken(piece)

    chunks = [piece for chunk in article.chunks for piece in taken(chunk)]
    return Rendered(article.source, chunks, [hash_of(chunk) for chunk in chunks])
