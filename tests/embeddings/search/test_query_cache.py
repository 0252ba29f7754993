"""The query cache holds bytes that anybody with Redis may have forged: whatever they are, a search is answered."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.test import Client
from redis import Redis

from embeddings.models import Space
from embeddings.search import SearchMode, search
from embeddings.search.query_cache import HeldVectors
from embeddings.search.query_vector import cache_key, held, query_vector
from embeddings.storage.vectors import wire_length
from lib.redis_client import fast_client
from tests.concurrently import together
from tests.embeddings.search.making import make_corpus
from tests.providers import FakeProvider

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("provider", "clean_cache")]

QUERY = "read a zip file"


def pickled(canary: Path) -> bytes:
    """What would write the canary where it is unpickled, written out by hand: nothing here imports pickle."""
    return b"cos\nsystem\n(S'touch " + str(canary).encode() + b"'\ntR."


def wire_of(*, width: int = 64, head: bytes | None = None, fill: float = 0.1) -> bytes:
    numbers = np.full(width, fill, dtype=">f4").tobytes()
    return (struct.pack("!HH", width, 0) if head is None else head) + numbers


FORGED = {
    "empty": b"",
    "a number": b"256",
    "another width": wire_of(width=1536),
    "one byte too many": wire_of() + b"\0",
    "one byte too few": wire_of()[:-1],
    "a false head": wire_of(head=b"\xff\xff\xff\xff"),
    "not a number": wire_of(fill=float("nan")),
    "infinite": wire_of(fill=float("inf")),
    "zeros": wire_of(fill=0.0),
    "a square that is infinite": wire_of(fill=1e19),
    "a square that is zero": wire_of(fill=1e-40),
    "text": b"\xff" * 260,
}


@pytest.fixture
def redis() -> Redis:
    return fast_client(settings.REDIS_URL)


@pytest.fixture
def space() -> Space:
    return make_corpus()


def is_answered_by_meaning(client: Client) -> bool:
    reply = search(QUERY)
    page = client.get("/search", {"q": QUERY})
    return (
        reply.answered_by is SearchMode.SEMANTIC
        and reply.hits[0].slug == "zipfile"
        and page.status_code == 200
    )


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_entry_is_a_miss_that_is_overwritten(
    name: str, space: Space, redis: Redis, client: Client
) -> None:
    key = cache_key(space, QUERY)
    redis.set(key, FORGED[name])
    assert is_answered_by_meaning(client)
    assert redis.get(key) == query_vector(space, QUERY) != FORGED[name]


@pytest.mark.parametrize("kind", ["list", "set", "hash", "stream"])
def test_an_entry_of_another_type_is_a_miss_that_is_overwritten(
    kind: str, space: Space, redis: Redis, client: Client
) -> None:
    key = cache_key(space, QUERY)
    make: dict[str, Callable[[], object]] = {
        "list": lambda: redis.rpush(key, "x"),
        "set": lambda: redis.sadd(key, "x"),
        "hash": lambda: redis.hset(key, "x", "y"),
        "stream": lambda: redis.xadd(key, {"x": "y"}),
    }
    make[kind]()
    assert is_answered_by_meaning(client)
    assert redis.strlen(key) == wire_length(space.dimensions)


def test_a_pickle_under_any_key_of_the_cache_runs_nothing(
    tmp_path: Path, space: Space, redis: Redis, client: Client
) -> None:
    canary = tmp_path / "canary"
    for key in (cache_key(space, QUERY), f"vectorpress:1:{cache_key(space, QUERY)}"):
        redis.set(key, pickled(canary))
    assert is_answered_by_meaning(client)
    assert not canary.exists()


def test_a_huge_entry_is_not_loaded(space: Space, redis: Redis, client: Client) -> None:
    key = cache_key(space, QUERY)
    redis.setrange(key, 100_000_000, b"x")
    before = redis.info("stats")["total_net_output_bytes"]
    assert is_answered_by_meaning(client)
    assert redis.info("stats")["total_net_output_bytes"] - before < 1_000_000


def test_the_second_time_the_provider_is_not_asked(space: Space, provider: FakeProvider) -> None:
    first = query_vector(space, QUERY)
    asked = provider.stats()["requests"]
    assert query_vector(space, QUERY) == first
    assert provider.stats()["requests"] == asked


@pytest.mark.parametrize(
    ("field", "value"),
    [("dimensions", 768), ("chunk_tokens", 100), ("model", "other"), ("provider", "ollama")],
)
def test_the_key_covers_the_recipe_of_the_space(field: str, value: int | str, space: Space) -> None:
    before = cache_key(space, QUERY)
    setattr(space, field, value)
    assert cache_key(space, QUERY) != before


def test_a_query_asked_again_is_not_read_from_redis_again(space: Space, redis: Redis) -> None:
    first = query_vector(space, QUERY)
    redis.set(cache_key(space, QUERY), wire_of())
    assert query_vector(space, QUERY) == first
    held.forget()
    assert query_vector(space, QUERY) == wire_of()


def test_held_vectors_are_bounded_in_bytes_and_the_least_used_goes_first() -> None:
    few = HeldVectors(most_bytes=30)
    for key in "abc":
        few.put(key, key.encode() * 10)
    assert few.get("a") == b"a" * 10
    few.put("d", b"d" * 10)
    assert [few.get(key) is not None for key in "abcd"] == [True, False, True, True]
    few.put("d", b"e" * 20)
    assert few.get("d") == b"e" * 20
    assert [few.get(key) is not None for key in "abcd"] == [False, False, True, True]
    few.put("too large", b"x" * 31)
    assert few.get("too large") is None
    few.put("a", b"a")
    assert few.get("a") == b"a"


def test_a_vector_is_held_for_a_time_only() -> None:
    brief = HeldVectors(seconds=0)
    brief.put("a", b"a")
    assert brief.get("a") is None


def test_threads_share_what_is_held() -> None:
    shared = HeldVectors(most_bytes=1_000)

    def use() -> int:
        for n in range(500):
            shared.put(str(n % 150), b"x" * 10)
            shared.get(str(n % 70))
        return 1

    assert sum(together(4, use)) == 4
    assert sum(shared.get(str(n)) is not None for n in range(150)) == 100
