"""The search for the articles that a provider fails over: what it finds, what it costs, and when it gives up.

Over real HTTP, with tasks and breakers, it is tried in admission/test_outage.py.
"""

import math
import uuid
from collections.abc import Callable

import numpy as np
import pytest

from embeddings.indexing.embed import Vectors
from embeddings.indexing.provider_session import ProviderSession
from embeddings.indexing.render import Rendered, Source, text_hash
from embeddings.models import Space
from embeddings.providers import registry
from embeddings.providers.base import Limits, Matrix
from embeddings.providers.errors import ErrorClass, ProviderError
from embeddings.text.chunking import Chunk
from queueops.engine.bisection import MOST_IN_VAIN, embed_isolating

SPACE = Space(provider="openai", model="scripted", dimensions=4, chunk_tokens=200, version=1)


class Scripted:
    """A provider in this process: `fault` is asked for each request, by its texts, what it meets."""

    dialect = ""
    limits = Limits(max_inputs=1_000, max_tokens=100_000, batch=100)

    def __init__(self, fault: Callable[[list[str]], ErrorClass | None]) -> None:
        self.fault = fault
        self.sent: list[list[str]] = []

    def embed(self, texts: list[str], deadline: float, *, is_query: bool = False) -> Matrix:
        self.sent.append(texts)
        if kind := self.fault(texts):
            raise ProviderError(kind, f"{kind.value} over {len(texts)}")
        return np.ones((len(texts), 4), np.float32)

    @property
    def probes(self) -> int:
        return sum(not text.startswith("text") for texts in self.sent for text in texts)


@pytest.fixture
def provide(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scripted]:
    """From now on the space has this provider."""

    def provide(fault: Callable[[list[str]], ErrorClass | None]) -> Scripted:
        scripted = Scripted(fault)
        monkeypatch.setitem(registry._KINDS, "openai", lambda space: scripted)
        return scripted

    return provide


def article(number: int, *texts: str) -> Rendered:
    source = Source(number, 1, uuid.uuid4(), "T", "".join(texts))
    return Rendered(
        source, [Chunk(0, len(text), text) for text in texts], [text_hash(text) for text in texts]
    )


def articles(count: int) -> list[Rendered]:
    return [article(n, f"text {n}") for n in range(count)]


def embed(wanted: list[Rendered]) -> Vectors:
    return embed_isolating(ProviderSession(SPACE, 20.0), wanted, {})


def fails_over(
    *bad: int, kind: ErrorClass = ErrorClass.TRANSIENT
) -> Callable[[list[str]], ErrorClass | None]:
    return lambda texts: kind if {f"text {n}" for n in bad} & set(texts) else None


def test_without_a_failure_nothing_is_searched(provide: Callable[..., Scripted]) -> None:
    provider = provide(lambda texts: None)
    made = embed(articles(10))
    assert (len(made.by_hash), made.errors, made.failure) == (10, {}, None)
    assert len(provider.sent) == 1


@pytest.mark.parametrize("kind", [ErrorClass.TRANSIENT, ErrorClass.PROVIDER_LOST])
@pytest.mark.parametrize(
    ("count", "bad"),
    [
        (1, (0,)),
        (2, (1,)),
        (3, (1,)),
        (100, (0,)),
        (100, (37,)),
        (100, (99,)),
        (100, (0, 99)),
        (64, (1, 2, 3)),
        (5, (0, 2, 4)),
    ],
)
def test_each_article_at_fault_has_the_error_and_all_others_their_vectors(
    provide: Callable[..., Scripted], kind: ErrorClass, count: int, bad: tuple[int, ...]
) -> None:
    provider = provide(fails_over(*bad, kind=kind))
    wanted = articles(count)
    made = embed(wanted)
    assert made.failure is None
    assert [n for n in range(count) if made.error_of(wanted[n])] == list(bad)
    assert len(made.by_hash) == count - len(bad)
    most = 2 * len(bad) * math.log2(max(count, 2)) + len(bad)
    assert len(provider.sent) <= 1 + provider.probes + most
    assert (made.requests, made.texts) == (len(provider.sent), count - len(bad))


def test_no_text_that_was_embedded_is_sent_again(provide: Callable[..., Scripted]) -> None:
    provider = provide(fails_over(3, 12))
    embed(articles(16))
    gone_through = [text for texts in provider.sent if not provider.fault(texts) for text in texts]
    of_ours = [text for text in gone_through if text.startswith("text")]
    assert len(of_ours) == len(set(of_ours)) == 14


def test_one_passage_at_fault_fails_its_article_alone(provide: Callable[..., Scripted]) -> None:
    provide(lambda texts: ErrorClass.TRANSIENT if "text bad" in texts else None)
    long = article(1, "text a", "text bad", "text c")
    made = embed([article(2, "text d"), long, article(3, "text e")])
    assert made.error_of(long) is not None
    assert {text_hash("text d"), text_hash("text e")} <= set(made.by_hash)
    assert made.failure is None


@pytest.mark.parametrize("kind", [ErrorClass.PROVIDER_DOWN, ErrorClass.TRANSIENT, ErrorClass.PROVIDER_LOST])
def test_a_provider_that_fails_every_text_costs_one_more_request(
    provide: Callable[..., Scripted], kind: ErrorClass
) -> None:
    provider = provide(lambda texts: kind)
    made = embed(articles(100))
    assert made.failure is not None
    assert (made.failure.kind, made.errors, made.by_hash) == (kind, {}, {})
    assert len(provider.sent) <= 2


@pytest.mark.parametrize("count", [15, 100, 1_000])
def test_one_that_embeds_a_harmless_text_alone_is_at_fault_itself(
    provide: Callable[..., Scripted], count: int
) -> None:
    provider = provide(lambda texts: ErrorClass.TRANSIENT if texts[0].startswith("text") else None)
    made = embed(articles(count))
    assert made.failure is not None
    assert not made.by_hash
    assert len(provider.sent) <= MOST_IN_VAIN + 3


@pytest.mark.parametrize("kind", [ErrorClass.RATE_LIMITED, ErrorClass.AUTH, ErrorClass.PROVIDER_DOWN])
def test_an_error_that_no_text_can_cause_is_not_searched_for(
    provide: Callable[..., Scripted], kind: ErrorClass
) -> None:
    provider = provide(lambda texts: kind)
    made = embed(articles(10))
    assert made.failure is not None
    assert made.failure.kind is kind
    assert len(provider.sent) == 1


@pytest.mark.parametrize("kind", [ErrorClass.AUTH, ErrorClass.RATE_LIMITED])
def test_what_keeps_the_harmless_text_from_being_asked_for_holds_the_batch_up(
    provide: Callable[..., Scripted], kind: ErrorClass
) -> None:
    provide(lambda texts: ErrorClass.TRANSIENT if texts[0].startswith("text") else kind)
    made = embed(articles(10))
    assert made.failure is not None
    assert (made.failure.kind, made.errors) == (kind, {})


def test_what_ends_the_search_leaves_the_vectors_that_were_paid_for(provide: Callable[..., Scripted]) -> None:
    def fault(texts: list[str]) -> ErrorClass | None:
        if len(provider.sent) > 3:
            return ErrorClass.AUTH
        return ErrorClass.TRANSIENT if "text 7" in texts else None

    provider = provide(fault)
    made = embed(articles(8))
    assert made.failure is not None
    assert made.failure.kind is ErrorClass.AUTH
    assert set(made.by_hash) == {text_hash(f"text {n}") for n in range(4)}
    assert made.errors == {}


def test_a_provider_that_does_not_come_back_was_taken_along_by_a_text(
    provide: Callable[..., Scripted],
) -> None:
    def fault(texts: list[str]) -> ErrorClass | None:
        if len(provider.sent) > 2:
            return ErrorClass.PROVIDER_DOWN
        return ErrorClass.PROVIDER_LOST if "text 0" in texts else None

    provider = provide(fault)
    made = embed(articles(8))
    assert made.failure is not None
    assert made.failure.kind is ErrorClass.PROVIDER_LOST
