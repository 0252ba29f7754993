"""Which thread may take long articles; with tasks it is tried in engine/test_partial_vectors.py."""

import contextlib
import uuid
from collections.abc import Sequence

import pytest

from embeddings.indexing import provider_pace
from embeddings.indexing.render import Source
from embeddings.models import Space
from queueops.engine.claims import Claim, Claimed, Room
from queueops.worker.long_articles import LongTurns

LONG = 1_000


def make_claim(*lengths: int) -> Claim:
    """Of one article for each length, in bytes."""
    sources = [Source(n, 1, uuid.uuid4(), "T", "x" * length) for n, length in enumerate(lengths)]
    return Claim(Space(), uuid.uuid4(), [Claimed(n, 1, 3, source) for n, source in enumerate(sources)])


class Queue:
    """Gives one claim after another, and keeps with how much room each was asked for."""

    def __init__(self, *claims: Claim) -> None:
        self.claims = list(claims)
        self.rooms: list[Room] = []

    def __call__(self, room: Room) -> Claim:
        self.rooms.append(room)
        return self.claims.pop(0) if self.claims else make_claim()

    @property
    def longest(self) -> Sequence[int | None]:
        return [room.longest for room in self.rooms]


def take(turns: LongTurns, queue: Queue, stack: contextlib.ExitStack | None = None) -> Claim:
    """A turn that has ended, or is held until the end of the stack."""
    with stack or contextlib.ExitStack() as held:
        return held.enter_context(turns.claimed(queue, LONG))


@pytest.mark.parametrize(("threads", "taking"), [(1, 1), (2, 1), (3, 2), (8, 2), (16, 2)])
def test_as_many_threads_take_long_articles_as_keep_a_provider_busy_and_one_never_does(
    threads: int, taking: int
) -> None:
    assert provider_pace.LEAST_AT_ONCE == 2
    turns, queue = LongTurns(threads), Queue(*[make_claim(LONG + 1) for _ in range(threads)])
    with contextlib.ExitStack() as held:
        for _ in range(threads):
            held.enter_context(turns.claimed(queue, LONG))
    assert queue.longest == [None] * taking + [LONG] * (threads - taking)


def test_a_claim_has_no_more_text_than_a_turn_has_time_for() -> None:
    queue = Queue(make_claim(5))
    take(LongTurns(2), queue)
    assert queue.rooms[0].most is not None
    assert queue.rooms[0].most > LONG


@pytest.mark.parametrize("lengths", [(), (1,), (LONG,), (1, LONG, 1)])
def test_a_claim_of_short_articles_only_leaves_the_turn_to_others(lengths: tuple[int, ...]) -> None:
    turns, queue = LongTurns(2), Queue(make_claim(*lengths), make_claim(LONG + 1))
    with contextlib.ExitStack() as held:
        for _ in range(2):
            held.enter_context(turns.claimed(queue, LONG))
    assert queue.longest == [None, None]


def test_length_is_counted_in_bytes() -> None:
    source = Source(1, 1, uuid.uuid4(), "T", "é" * (LONG // 2 + 1))
    queue = Queue(Claim(Space(), uuid.uuid4(), [Claimed(1, 1, 3, source)]))
    turns = LongTurns(2)
    with contextlib.ExitStack() as held:
        for _ in range(2):
            held.enter_context(turns.claimed(queue, LONG))
    assert queue.longest == [None, LONG]


def test_after_a_long_one_short_ones_are_asked_for_first() -> None:
    turns, queue = (
        LongTurns(1),
        Queue(make_claim(LONG + 1), make_claim(1), make_claim(LONG + 1), make_claim()),
    )
    assert len(take(turns, queue).tasks) == 1
    take(turns, queue)
    assert queue.longest == [None, LONG]
    take(turns, queue)
    assert queue.longest == [None, LONG, None]
    take(turns, queue)  # no short one is due, so it may be a long one again
    assert queue.longest == [None, LONG, None, LONG, None]


def test_a_turn_is_given_back_whatever_happened() -> None:
    turns, queue = LongTurns(2), Queue(make_claim(LONG + 1), make_claim(1), make_claim(LONG + 1))
    with contextlib.suppress(ZeroDivisionError), turns.claimed(queue, LONG):
        _ = 1 / 0
    take(turns, queue)
    assert take(turns, queue).tasks
    assert queue.longest == [None, LONG, None]


def test_a_claim_that_fails_holds_no_turn() -> None:
    def refuse(room: Room) -> Claim:
        raise ConnectionError

    turns, queue = LongTurns(2), Queue(make_claim(), make_claim(LONG + 1))
    with pytest.raises(ConnectionError), turns.claimed(refuse, LONG):
        pass
    for _ in range(2):
        take(turns, queue)
    assert None in queue.longest
