"""A process whose recipe is not the space's writes nothing there, charges nothing, and says so once."""

import pytest
from pytest_django import Settings

from embeddings.indexing.store import RecipeConflictError, demand_recipe
from embeddings.models import ArticleEmbedding, KeptVector, Space
from queueops.admission import recipe_guard
from queueops.engine import claims, execution, synchronous
from queueops.engine.enqueue import Reason
from queueops.models import AuditLog, Task
from queueops.monitoring import health, snapshot
from queueops.worker.drain import drain
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_space, make_worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def space(settings: Settings) -> Space:
    """One that the settings name, of a recipe that they no longer give."""
    settings.EMBEDDING_PROVIDER, settings.EMBEDDING_MODEL = "openai", "fake-embed"
    space = make_space()
    settings.EMBEDDING_DOCUMENT_PREFIX = "text: "
    return space


def test_the_reason_is_audited_once(space: Space) -> None:
    assert not recipe_guard.may_write(space)
    assert not recipe_guard.may_write(space)
    (row,) = AuditLog.objects.filter(level="error")
    assert "EMBEDDING_DOCUMENT_PREFIX" in row.message
    assert row.metadata == {"space": space.pk}


def test_a_worker_claims_nothing_and_charges_nothing(space: Space, provider: FakeProvider) -> None:
    make_article()
    assert drain(make_worker().pk, seconds=5).tasks == 0
    task = Task.objects.get()
    assert (task.status, task.attempts) == ("pending", 0)
    assert provider.stats()["requests"] == 0


def test_a_request_embeds_nothing(space: Space, provider: FakeProvider) -> None:
    article = make_article()
    synchronous.embed_now([article.pk])
    synchronous.embed_without_queue([article.pk], Reason.EDIT)
    assert Task.objects.get().attempts == 0
    assert provider.stats()["requests"] == 0
    assert not ArticleEmbedding.objects.exists()


def test_health_says_so_with_the_next_command(space: Space) -> None:
    judged = health.judge(snapshot.take())
    assert judged.condition is health.Condition.DEGRADED
    assert "reindex --accept-recipe" in judged.sentence
    assert snapshot.take().embedded == 0


def test_a_batch_whose_space_gets_another_recipe_meanwhile_is_given_back_uncharged(
    provider: FakeProvider,
) -> None:
    space = make_space()
    make_article()
    claim = claims.claim_due(space, 8, make_worker().pk, "test")
    Space.objects.update(fingerprint="0" * 32)
    settled = execution.execute(claim)
    assert settled.retried == 1
    task = Task.objects.get()
    assert (task.status, task.attempts) == ("pending", 0)
    assert not ArticleEmbedding.objects.exists()
    assert not KeptVector.objects.exists()


def test_vectors_of_another_recipe_are_not_stored(space: Space) -> None:
    with pytest.raises(RecipeConflictError):
        demand_recipe(space)


def test_the_workers_go_on_once_the_setting_is_back(
    space: Space, provider: FakeProvider, settings: Settings
) -> None:
    make_article()
    settings.EMBEDDING_DOCUMENT_PREFIX = None
    assert drain(make_worker().pk, seconds=5).tasks == 1
    assert ArticleEmbedding.objects.count() == 1
