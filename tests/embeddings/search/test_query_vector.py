"""The vector of a query, of a short one and of one that is longer than the model reads."""

import numpy as np
import pytest

from embeddings.models import Space
from embeddings.providers.errors import ProviderError
from embeddings.search.query_vector import cache_key, query_vector
from embeddings.storage.vectors import from_wire
from tests.providers import FakeProvider

pytestmark = pytest.mark.usefixtures("clean_cache")


@pytest.fixture
def space(provider: FakeProvider) -> Space:
    return Space(pk=1, provider="openai", model="fake-embed", dimensions=64, chunk_tokens=40)


@pytest.mark.django_db
def test_a_query_is_one_text_and_asked_once(space: Space, provider: FakeProvider) -> None:
    vector = query_vector(space, "read a zip file")
    assert np.linalg.norm(from_wire(vector)) == pytest.approx(1, abs=1e-5)
    assert query_vector(space, "read a zip file") == vector
    assert provider.stats()["sizes"] == [1]


@pytest.mark.django_db
def test_a_long_query_is_the_mean_of_its_pieces_in_one_request(space: Space, provider: FakeProvider) -> None:
    query = " ".join(f"Sentence number {n} of a question." for n in range(20))
    found = from_wire(query_vector(space, query))
    (pieces,) = provider.stats()["sizes"]
    assert pieces > 1
    assert np.isfinite(found).all()
    assert found.any()


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["x" * 40, "日本語の質問" * 20, "🙂", "a\nb\tc", "'"])
def test_odd_queries_have_a_vector(space: Space, query: str) -> None:
    assert from_wire(query_vector(space, query)).shape == (64,)


@pytest.mark.django_db
def test_what_the_provider_did_not_give_is_not_kept(space: Space, provider: FakeProvider) -> None:
    provider.config(fail_next=["500"])
    with pytest.raises(ProviderError):
        query_vector(space, "a")
    assert from_wire(query_vector(space, "a")).any()


def test_every_query_and_space_has_its_own_short_key(space: Space) -> None:
    other = Space(pk=2, provider="openai", model="fake-embed", dimensions=64, chunk_tokens=40)
    keys = {cache_key(space, "a"), cache_key(space, "A"), cache_key(space, ""), cache_key(other, "a")}
    assert len(keys) == 4
    assert len(cache_key(space, "\ud800" * 100_000)) < 100
