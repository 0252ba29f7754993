"""The requests of one batch: a deadline, a turn, a budget, and patience in the midst."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from embeddings.indexing import provider_pace
from embeddings.indexing.metering import Meter
from embeddings.indexing.provider_session import ProviderSession
from embeddings.models import Space
from embeddings.providers.errors import ErrorClass, NotAskedError, PostponedError, ProviderError
from tests.providers import FakeProvider


class Counted:
    """A meter that counts tokens, and refuses the first requests."""

    def __init__(self, most_tokens: int = 1_000_000, refusals: int = 0) -> None:
        self.most_tokens = most_tokens
        self.tokens = 0
        self._refusals = refusals

    @contextlib.contextmanager
    def call(self, tokens: int) -> Iterator[None]:
        if self._refusals:
            self._refusals -= 1
            raise NotAskedError("no room", 0.0)
        self.tokens += tokens
        yield


class Rests:
    """Waits for nothing, and remembers for how long it was to wait."""

    def __init__(self, allowed: bool = True) -> None:
        self.seconds: list[float] = []
        self._allowed = allowed

    def __call__(self, seconds: float) -> bool:
        self.seconds.append(seconds)
        return self._allowed


@pytest.fixture
def space(provider: FakeProvider) -> Space:
    return Space(pk=1, provider="openai", model="fake-embed", dimensions=64, chunk_tokens=40)


def session(
    space: Space, seconds: float = 5.0, meter: Meter | None = None, **options: Any
) -> ProviderSession:
    return ProviderSession(space, seconds, meter or Counted(), **options)


def test_requests_and_texts_that_got_vectors_are_counted(space: Space, provider: FakeProvider) -> None:
    meter = Counted()
    asking = session(space, meter=meter)
    assert len(asking.embed(["abc", "abcd"])) == 2
    provider.config(fail_next=["500"])
    with pytest.raises(ProviderError):
        asking.embed(["x"])
    assert (asking.requests, asking.texts, meter.tokens) == (2, 2, 4)


@pytest.mark.parametrize("is_patient", [True, False])
def test_a_429_is_waited_for_only_by_who_is_patient(
    space: Space, provider: FakeProvider, is_patient: bool
) -> None:
    provider.config(fail_next=["429", "429"], retry_after=0)
    rests = Rests()
    asking = session(space, seconds=60, rest=rests)
    asking.is_patient = is_patient
    if is_patient:
        asking.embed(["a"])
        assert rests.seconds == [1.0, 2.0]  # each rest is twice as long
    else:
        with pytest.raises(ProviderError) as refused:
            asking.embed(["a"])
        assert refused.value.kind is ErrorClass.RATE_LIMITED
        assert rests.seconds == []


def test_it_is_waited_as_long_as_the_provider_says_within_the_deadline(
    space: Space, provider: FakeProvider
) -> None:
    rests = Rests()
    provider.config(fail_next=["429"], retry_after=7)
    asking = session(space, seconds=60, rest=rests)
    asking.is_patient = True
    asking.embed(["a"])
    assert rests.seconds == [7.0]
    provider.config(fail_next=["429"], retry_after=70)
    with pytest.raises(ProviderError):
        asking.embed(["a"])
    assert rests.seconds == [7.0]


def test_a_caller_that_must_not_wait_gives_up(space: Space, provider: FakeProvider) -> None:
    provider.config(fail_next=["429"], retry_after=0)
    asking = session(space, seconds=60, rest=Rests(allowed=False))
    asking.is_patient = True
    with pytest.raises(ProviderError):
        asking.embed(["a"])


def test_our_own_budget_is_looked_at_again_soon(space: Space, provider: FakeProvider) -> None:
    rests = Rests()
    asking = session(space, seconds=60, meter=Counted(refusals=3), rest=rests)
    asking.is_patient = True
    asking.embed(["a"])
    assert rests.seconds == [0.25] * 3
    assert provider.stats()["requests"] == 1


@pytest.mark.parametrize("kind", ["500", "503", "401", "402"])
def test_other_errors_are_not_waited_for(space: Space, provider: FakeProvider, kind: str) -> None:
    rests = Rests()
    provider.config(fail_next=[kind, kind])
    asking = session(space, rest=rests)
    asking.is_patient = True
    with pytest.raises(ProviderError):
        asking.embed(["a"])
    assert rests.seconds == []


def test_a_text_that_is_late_is_at_fault_for_nothing_where_others_got_theirs(space: Space) -> None:
    asking = session(space)
    assert asking.late().kind is ErrorClass.TRANSIENT
    asking.embed(["a"])
    assert isinstance(asking.late(), PostponedError)


def test_each_turn_has_one_request_at_least_and_a_search_is_not_ended(space: Space) -> None:
    told: list[object] = []

    def between(made: object) -> bool:
        told.append(made)
        return False

    asking = session(space, between=between)
    asking.go_on({})
    assert told == []
    asking.embed(["a"])
    asking.is_searching = True
    asking.go_on({b"h": b"v"})
    assert told == [{b"h": b"v"}]
    asking.is_searching = False
    with pytest.raises(PostponedError):
        asking.go_on({})


@pytest.mark.parametrize(("began", "greedy"), [(10.0, True), (5.0, True), (4.99, False), (0.0, False)])
def test_a_request_is_greedy_that_had_half_of_the_time(space: Space, began: float, greedy: bool) -> None:
    assert session(space, seconds=10.0).is_greedy(began) is greedy


def test_a_request_carries_what_the_meter_and_its_share_allow(space: Space) -> None:
    provider_pace.of(space).speed.answered(1_000, 0.1, 1)
    whole = session(space).most_tokens
    assert session(space, meter=Counted(most_tokens=10)).most_tokens == 10
    assert session(space, share=0.5).most_tokens == whole // 2
    assert session(space, share=1e-9).most_tokens == 256  # about one passage


def test_a_provider_that_refuses_a_harmless_text_is_down(space: Space, provider: FakeProvider) -> None:
    provider.config(poison="fox")
    with pytest.raises(ProviderError) as refused:
        session(space).probe()
    assert refused.value.kind is ErrorClass.PROVIDER_DOWN
    assert "harmless" in str(refused.value)


def test_a_provider_is_proven_once_and_by_any_vector(space: Space, provider: FakeProvider) -> None:
    asking = session(space)
    asking.prove()
    asking.prove()
    assert asking.requests == 1
    other = session(space)
    other.embed(["a"])
    other.prove()
    assert other.requests == 1


def test_an_error_of_the_provider_says_nothing_of_the_harmless_text(
    space: Space, provider: FakeProvider
) -> None:
    provider.config(fail_next=["503"])
    with pytest.raises(ProviderError) as refused:
        session(space).probe()
    assert refused.value.kind is ErrorClass.PROVIDER_DOWN
    assert "harmless" not in str(refused.value)
