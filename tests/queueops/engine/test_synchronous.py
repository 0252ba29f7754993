"""Synchronous mode: a save embeds in its request, and no trouble of the provider or the database fails it."""

import time

import pytest
from django.db import connection
from pytest_django import Settings

from articles.models import Article
from embeddings.models import Space
from embeddings.providers import registry
from embeddings.search import search
from queueops.engine import synchronous
from queueops.models import Mode, ProviderState, Task
from tests.providers import FakeProvider
from tests.queueops.engine.test_modes import set_mode, work_until
from tests.queueops.factories import make_article, make_worker

pytestmark = pytest.mark.django_db(transaction=True)
_REFUSE_CLAIMS = """
CREATE FUNCTION refuse_claims() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no claims today'; END $$;
CREATE TRIGGER refuse_claims BEFORE UPDATE OF claim_token ON embedding_tasks
    FOR EACH ROW EXECUTE FUNCTION refuse_claims();
"""


def test_in_synchronous_mode_a_save_is_found_before_it_answers_and_no_worker_is_needed(space: Space) -> None:
    set_mode(Mode.SYNCHRONOUS)
    article = make_article("Aardvarks", "They eat ants at night.")
    task = Task.objects.get()
    assert (task.status, task.claimed_by) == ("completed", "request")
    assert [hit.slug for hit in search("who eats ants at night").hits] == [article.slug]


@pytest.mark.parametrize(
    ("trouble", "kind"), [("down", "provider_down"), ("slow", "transient"), ("broken", "transient")]
)
def test_a_provider_in_trouble_never_fails_a_synchronous_save_and_the_article_is_embedded_later(
    trouble: str,
    kind: str,
    space: Space,
    provider: FakeProvider,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.EMBEDDING_RETRY_BACKOFF_BASE = 1
    if trouble == "down":
        url, settings.OPENAI_BASE_URL = settings.OPENAI_BASE_URL, "http://127.0.0.1:9/v1"
    elif trouble == "slow":
        monkeypatch.setattr(synchronous, "DEADLINE_SECONDS", 0.2)
        provider.config(latency_ms=3_000)
    else:
        provider.config(rate_500=1)
    set_mode(Mode.SYNCHRONOUS)
    began = time.monotonic()
    article = make_article("Patient", "It waits for its provider.")
    assert time.monotonic() - began < 3  # the slow one was not waited for
    task = Task.objects.get()
    assert (task.status, task.error_class, article.embeddings.count()) == ("pending", kind, 0)
    if trouble == "down":
        settings.OPENAI_BASE_URL = url
    provider.config(latency_ms=0, rate_500=0)
    ProviderState.objects.all().delete()
    registry.forget()
    set_mode(Mode.QUEUED)
    work_until(article.embeddings.exists, make_worker())


def test_a_poisoned_text_is_saved_in_synchronous_mode_and_parked_with_its_reason(
    space: Space, provider: FakeProvider
) -> None:
    provider.config(poison="toxic")
    set_mode(Mode.SYNCHRONOUS)
    poisoned = make_article("Bad", "A toxic text.")
    task = Task.objects.get()
    assert (task.status, task.error_class) == ("failed", "invalid_input")
    poisoned.content = "A harmless text."
    poisoned.save()
    assert poisoned.embeddings.exists()


def test_a_claim_that_the_database_refuses_never_fails_a_synchronous_save(space: Space) -> None:
    set_mode(Mode.SYNCHRONOUS)
    with connection.cursor() as cursor:
        cursor.execute(_REFUSE_CLAIMS)
        article = make_article()
        cursor.execute("DROP FUNCTION refuse_claims CASCADE")
    assert Article.objects.filter(pk=article.pk).exists()
    assert Task.objects.get().status == "pending"
