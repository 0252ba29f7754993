"""A migrated database has a space that serves, and the row, once it holds vectors, is the truth."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connection, transaction
from pytest_django import Settings

from articles.models import Article
from embeddings import recipes, spaces
from embeddings.model_catalogue import spec_of
from embeddings.models import KeptVector, Space
from embeddings.storage import ann_index, coverage
from tests.queueops.factories import make_article, make_space

pytestmark = pytest.mark.django_db


def test_migrating_makes_the_space_that_the_settings_name() -> None:
    Space.objects.all().delete()
    spaces.ensure_first()
    spaces.ensure_first()
    space = Space.objects.get()
    assert (space.provider, space.model, space.dimensions, space.state) == (
        "local",
        "all-MiniLM-L6-v2",
        384,
        "serving",
    )


def test_changed_settings_change_a_space_that_is_still_empty(settings: Settings) -> None:
    Space.objects.all().delete()
    spaces.ensure_first()
    settings.EMBEDDING_PROVIDER, settings.EMBEDDING_MODEL = "openai", "text-embedding-3-small"
    spaces.ensure_first()
    assert (Space.objects.get().model, Space.objects.get().dimensions) == ("text-embedding-3-small", 1536)


def test_changed_settings_take_the_old_index_from_a_space_that_was_emptied(settings: Settings) -> None:
    Space.objects.all().delete()
    spaces.ensure_first()
    space = Space.objects.get()
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE INDEX {ann_index.name_of(space)} ON article_embeddings"
            f" USING hnsw ((embedding::{ann_index.column_type(space)}) vector_cosine_ops) WHERE space_id = {space.pk}"
        )
    assert ann_index.stands(space)
    settings.EMBEDDING_PROVIDER, settings.EMBEDDING_MODEL = "openai", "text-embedding-3-small"
    spaces.ensure_first()
    assert not ann_index.stands(space)


def test_changed_settings_leave_a_space_with_vectors_alone(settings: Settings) -> None:
    space = make_space()
    make_article().embeddings.create(
        space=space, chunk_index=0, chunk_count=1, span=(0, 5), text_hash=b"x" * 16, source_version=1,
        source_hash="0" * 32, embedding=[1] * 8,
    )  # fmt: skip
    settings.EMBEDDING_PROVIDER, settings.EMBEDDING_MODEL = "openai", "text-embedding-3-small"
    spaces.ensure_first()
    assert Space.objects.get().model == "fake-embed"


@pytest.mark.parametrize("states", [("serving", "serving"), ("building", "building"), ("building", "ready")])
def test_one_space_serves_and_one_is_built_at_a_time(states: tuple[str, str]) -> None:
    Space.objects.all().delete()
    shared = {"provider": "openai", "model": "m", "dimensions": 4, "chunk_tokens": 9}
    Space.objects.create(version=1, state=states[0], **shared)
    with pytest.raises(IntegrityError), transaction.atomic():
        Space.objects.create(version=2, state=states[1], **shared)


def test_the_serving_space_comes_first_among_those_that_receive() -> None:
    serving = make_space()
    building = Space.objects.create(version=1, provider="openai", model="b", dimensions=4, chunk_tokens=9)
    assert list(Space.objects.receiving()) == [serving, building]


def test_a_model_that_nobody_knows_needs_its_width() -> None:
    with pytest.raises(ImproperlyConfigured, match="EMBEDDING_DIMENSIONS"):
        spec_of("brand-new-model")
    assert spec_of("brand-new-model", 99).dimensions == 99
    assert spec_of("nomic-embed-text:latest").query_prefix == "search_query: "
    assert spec_of("text-embedding-3-large", 256).dimensions == 256


def test_coverage_counts_articles_whose_current_text_is_embedded() -> None:
    space = make_space()
    assert coverage.of(space).share == 1.0
    articles = [make_article() for _ in range(4)]
    for article in articles[:2]:
        article.embeddings.create(
            space=space, chunk_index=0, chunk_count=1, span=(0, 5), text_hash=b"x" * 16, source_version=1,
            source_hash=article.content_hash, embedding=[1] * 8,
        )  # fmt: skip
    assert coverage.of(space) == coverage.Coverage(articles=4, current=2)
    articles[0].content = "New text."
    articles[0].save()
    assert coverage.of(space).share == 0.25
    assert set(coverage.behind(space)) == set(Article.objects.exclude(pk=articles[1].pk))


def test_the_serving_space_has_every_field_of_the_model() -> None:
    make_space()
    space = Space.objects.serving()
    assert space is not None
    assert not space.get_deferred_fields()
    assert space == Space.objects.get()
    for field in Space._meta.concrete_fields:
        assert getattr(space, field.attname) == getattr(Space.objects.get(), field.attname), field.name


def test_changed_prefixes_change_the_recipe_of_a_space_that_is_still_empty(settings: Settings) -> None:
    Space.objects.all().delete()
    spaces.ensure_first()
    before = Space.objects.get()
    make_article()
    KeptVector.objects.create(
        article=Article.objects.get(), space=before, text_hash=b"x" * 16, embedding=b"", chunks_to_embed=1
    )
    settings.EMBEDDING_DOCUMENT_PREFIX = "text: "
    spaces.ensure_first()
    after = Space.objects.get()
    assert (after.pk, after.recipe["document_prefix"]) == (before.pk, "text: ")
    assert recipes.fits(after)
    assert not KeptVector.objects.exists(), "of the old recipe"


def test_a_row_made_with_plain_sql_gets_its_recipe_at_the_next_migration() -> None:
    make_space()
    Space.objects.update(recipe={}, fingerprint="")
    spaces.ensure_first()
    assert recipes.fits(Space.objects.get())


def test_accepting_a_recipe_replaces_only_another_one(settings: Settings) -> None:
    space = make_space(model=settings.EMBEDDING_MODEL, provider=settings.EMBEDDING_PROVIDER)
    assert not spaces.accept_recipe(space)
    settings.EMBEDDING_QUERY_PREFIX = "ask: "
    assert spaces.accept_recipe(space)
    space.refresh_from_db()
    assert space.recipe["query_prefix"] == "ask: "
    assert recipes.fits(space)
