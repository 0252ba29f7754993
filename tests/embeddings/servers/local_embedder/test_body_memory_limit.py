"""All large bodies together are bounded."""

import pytest

from embeddings.servers.local_embedder.body_memory_limit import Room


def test_large_bodies_need_room_and_small_ones_do_not() -> None:
    room = Room(most_bytes=100, small=10)
    with room.of(60) as first, room.of(60) as second, room.of(10) as small, room.of(40) as third:
        assert (first, second, small, third) == (True, False, True, True)
    with room.of(100) as whole:
        assert whole


def test_room_comes_back_whatever_happens_to_a_request() -> None:
    room = Room(most_bytes=100, small=10)
    for _ in range(3):
        with pytest.raises(LookupError), room.of(100) as is_free:
            assert is_free
            raise LookupError
    with room.of(101) as is_free:
        assert not is_free
    with room.of(100) as is_free:
        assert is_free
