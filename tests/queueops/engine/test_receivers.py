"""From articles' signals to tasks: who is queued, who is embedded at once, and who is left to the sweep."""

import pytest
from django.conf import settings
from django.core import serializers
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from articles.models import Article
from articles.signals import articles_written
from embeddings.models import Space
from queueops.engine import modes, receivers
from queueops.models import Mode, QueueState, Task
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_space
from tests.queueops.operate.backfill.test_run import make_corpus

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def space(provider: FakeProvider) -> Space:
    return make_space()


def set_mode(mode: Mode) -> None:
    QueueState.objects.update(mode=mode)
    modes.forget()


def test_a_fixture_that_is_loaded_is_left_to_the_sweep(rings: list[bool]) -> None:
    fixture = serializers.serialize("json", make_corpus(1))
    Article.objects.all().delete()
    for loaded in serializers.deserialize("json", fixture):
        loaded.save()
    assert Article.objects.exists()
    assert not Task.objects.exists()
    assert rings == []


def test_a_new_article_and_an_edit_are_queued_as_edits_in_the_transaction(rings: list[bool]) -> None:
    with transaction.atomic():
        article = make_article()
        assert Task.objects.get().reason == "edit"
    article.content = "Another text."
    article.save()
    assert (Task.objects.count(), Task.objects.get().source_version) == (1, 2)
    assert set(rings) == {True}


def test_a_new_article_has_a_task_per_space_that_receives(space: Space) -> None:
    values = {"provider": "openai", "model": "fake-embed", "dimensions": 8, "chunk_tokens": 200}
    newer = Space.objects.create(**values, version=101, state="building")
    Space.objects.create(**values, version=99, state="retired")
    article = make_article()
    tasks = list(Task.objects.order_by("space_id"))
    assert [task.space_id for task in tasks] == [space.pk, newer.pk]
    for task in tasks:
        assert (task.article_id, task.slug, task.status) == (article.pk, article.slug, "pending")
        assert (task.source_version, task.content_hash) == (1, article.content_hash)
        priority = "normal" if task.space_id == space.pk else "low"
        assert (task.priority, task.max_attempts) == (priority, settings.EMBEDDING_MAX_RETRIES)


def test_an_article_that_another_save_overwrites_by_its_id_is_queued() -> None:
    first = make_article()
    Task.objects.all().delete()
    Article(pk=first.pk, slug=first.slug, title="Another", version_number=2).save()
    assert Task.objects.get().reason == "edit"


@pytest.mark.parametrize("mode", [Mode.QUEUED, Mode.SYNCHRONOUS])
def test_articles_of_a_bulk_write_are_queued_in_every_mode_that_embeds(
    mode: Mode, rings: list[bool], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    set_mode(mode)
    corpus = make_corpus(3)
    with django_capture_on_commit_callbacks(execute=True):
        articles_written.send(None, article_ids=[article.pk for article in corpus], reason="import")
    assert set(Task.objects.values_list("status", "metadata__reason")) == {("pending", "import")}
    assert len(rings) == 1


def test_in_synchronous_mode_an_edit_wakes_nobody(
    rings: list[bool], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    set_mode(Mode.SYNCHRONOUS)
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        make_article()
    assert len(callbacks) == 1
    assert rings == []
    assert Task.objects.get().status == "completed"


def test_a_save_that_makes_no_task_embeds_nothing_either(
    provider: FakeProvider, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    set_mode(Mode.SYNCHRONOUS)
    with django_capture_on_commit_callbacks(execute=True):
        article = make_article()
    asked = provider.stats()["requests"]
    article.metadata = {"a": 1}
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        article.save()
    assert callbacks == []
    assert provider.stats()["requests"] == asked


@pytest.mark.parametrize("reason", ["", "because", "IMPORT"])
def test_a_writer_names_a_reason_that_there_is(reason: str) -> None:
    with pytest.raises(ValueError, match="not a valid Reason"):
        receivers.articles_written([1], reason)


def test_no_articles_make_no_tasks(rings: list[bool]) -> None:
    articles_written.send(None, article_ids=[], reason="import")
    assert not Task.objects.exists()
    assert rings == []
