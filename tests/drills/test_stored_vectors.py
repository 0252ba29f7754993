"""The drills' checker knows the provider's vectors, and notices one number that is another."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from django.db import connection
from pytest_django import Settings

from articles.models import Article
from drills import stored_vectors
from embeddings.indexing.render import Source, render
from embeddings.models import Space
from queueops.worker import drain
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_space, make_worker

pytestmark = [pytest.mark.django_db, pytest.mark.process]
LONG = "\n\n".join(f"Paragraph {n}. " + "A few plain words follow here. " * 40 for n in range(12))


@pytest.fixture(scope="module", params=["words", "pool"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def provider(kind: str) -> Iterator[FakeProvider]:
    with FakeProvider(dimensions=8, vectors=kind) as process:
        yield process


@pytest.fixture
def embedded(provider: FakeProvider, settings: Settings) -> list[Article]:
    """A short article, a long one and a blank one."""
    settings.OPENAI_BASE_URL = provider.url + "/v1"
    make_space()
    made = [make_article("Short"), make_article("Long", LONG), make_article("Blank", "  ")]
    drain.drain(make_worker().pk, seconds=20)
    return made


def wrong(kind: str) -> list[str]:
    product = stored_vectors.Product(Space.objects.in_bulk(), Source, render)
    return stored_vectors.wrong(connection.connection, product, kind)


def change(sql: str, *arguments: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE article_embeddings SET {sql}", arguments)
        assert cursor.rowcount == 1


def test_it_gives_the_vectors_that_the_provider_gives(provider: FakeProvider, kind: str) -> None:
    texts = ["A title\n\nSome content.", "Ünïcode – and none"]
    answer = provider.http.post("/v1/embeddings", json={"input": texts}).json()
    given = [np.array(item["embedding"], dtype=np.float32) for item in answer["data"]]
    assert all(map(np.array_equal, given, stored_vectors.provided(texts, 8, kind)))


def test_vectors_stored_by_a_worker_are_right(embedded: list[Article], kind: str) -> None:
    assert wrong(kind) == []


def test_one_number_that_is_another_is_found(embedded: list[Article], kind: str) -> None:
    change(
        "embedding = embedding + '[0,0,0.001,0,0,0,0,0]'::vector WHERE article_id = %s AND chunk_index = 3",
        embedded[1].pk,
    )
    (said,) = wrong(kind)
    assert said.startswith("1 articles")
    assert f"article {embedded[1].pk}" in said
    assert said.endswith("chunk 3: 1 of 8 numbers differ")


def test_the_vector_of_another_text_is_found(embedded: list[Article], kind: str) -> None:
    change(
        "embedding = (SELECT embedding FROM article_embeddings WHERE article_id = %s AND chunk_index = 1)"
        " WHERE article_id = %s",
        embedded[1].pk,
        embedded[0].pk,
    )
    assert f"article {embedded[0].pk}" in wrong(kind)[0]


def test_a_chunk_that_is_missing_is_found(embedded: list[Article], kind: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM article_embeddings WHERE article_id = %s AND chunk_index = 2", [embedded[1].pk]
        )
    assert "expected" in wrong(kind)[0]
    change("chunk_index = 2, chunk_count = chunk_count WHERE article_id = %s", embedded[0].pk)
    assert wrong(kind)[0].startswith("2 articles")


def test_what_is_stored_of_an_older_text_is_not_judged(embedded: list[Article], kind: str) -> None:
    Article.objects.filter(pk=embedded[0].pk).update(content="Other words.")
    assert wrong(kind) == []
