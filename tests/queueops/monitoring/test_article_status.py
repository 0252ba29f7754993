"""The embedding status of an article, in a word and in sentences."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from articles.models import Article
from embeddings.models import ArticleEmbedding, Space
from queueops.engine import modes
from queueops.models import Mode, ProviderState, QueueState, Status, Worker
from queueops.models import Task as TaskRow
from queueops.monitoring.article_status import (
    ArticleStatus,
    embedding_states,
    explain,
    state_of,
    state_of_new,
    why,
)
from queueops.monitoring.why_not_running import Blockers, TaskFacts
from tests.queueops.factories import make_article, make_space

NOW = datetime(2026, 11, 22, tzinfo=UTC)
RUNNING = Blockers(Mode.QUEUED, is_paused=False, reason="")


def task(status: str, **fields: Any) -> TaskFacts:
    defaults: dict[str, Any] = {
        "id": 7,
        "attempts": 0,
        "max_attempts": 3,
        "created_at": NOW,
        "scheduled_at": NOW,
        "seconds_to_attempt": -1.0,
        "error_class": "",
        "error_message": "",
    }
    return TaskFacts(status=status, **defaults | fields)


def status(**fields: Any) -> ArticleStatus:
    defaults: dict[str, Any] = {"article_id": 1, "version_number": 3, "space": "a/b v1", "is_serving": True}
    return ArticleStatus(**defaults | fields)


CURRENT = {"source_version": 3, "chunks": 2, "is_current": True}
OLD = {"source_version": 2, "chunks": 1}
EMPTY = {"source_version": 3, "chunks": 0, "is_current": True}
WORDS = [
    (status(**CURRENT), Mode.QUEUED, "embedded"),
    (status(**CURRENT, task=task("completed")), Mode.QUEUED, "embedded"),
    (status(**CURRENT, task=task("failed")), Mode.QUEUED, "embedded"),
    (status(**CURRENT), Mode.DISABLED, "embedded"),
    (status(**CURRENT, task=task("pending")), Mode.QUEUED, "pending"),
    (status(**EMPTY), Mode.QUEUED, "empty"),
    (status(), Mode.QUEUED, "behind"),
    (status(task=task("completed")), Mode.QUEUED, "behind"),
    (status(**OLD), Mode.QUEUED, "behind"),
    (status(task=task("pending")), Mode.QUEUED, "pending"),
    (status(**OLD, task=task("pending")), Mode.QUEUED, "pending"),
    (status(task=task("pending")), Mode.SYNCHRONOUS, "pending"),
    (status(task=task("pending")), Mode.DISABLED, "disabled"),
    (status(), Mode.DISABLED, "disabled"),
    (status(task=task("processing")), Mode.QUEUED, "processing"),
    (status(task=task("failed")), Mode.QUEUED, "failed"),
    (status(task=task("cancelled")), Mode.QUEUED, "cancelled"),
]


@pytest.mark.parametrize(("stands", "mode", "word"), WORDS)
def test_a_status_has_one_word(stands: ArticleStatus, mode: Mode, word: str) -> None:
    assert state_of(stands, mode) == word


RETRYING = task(
    "pending",
    attempts=1,
    seconds_to_attempt=12.4,
    error_class="transient",
    error_message="HTTP 500 from the provider.",
)
PAUSED = Blockers(Mode.QUEUED, is_paused=True, reason="key is being changed")
SENTENCES = [
    (None, RUNNING, "Not found by meaning: no embedding space serves searches yet."),
    (status(**CURRENT), RUNNING, "Found by meaning: version 3 is embedded in 2 chunks."),
    (status(**EMPTY), RUNNING, "Not found by meaning: its text is empty, so there is nothing to embed."),
    (status(task=task("pending")), RUNNING, "Not found by meaning: task 7 waits for a worker."),
    (
        status(task=task("pending")),
        Blockers(Mode.QUEUED, False, "", "no worker is alive"),
        "Not found by meaning: task 7 waits for a worker: no worker is alive.",
    ),
    (
        status(task=task("pending")),
        PAUSED,
        "Not found by meaning: task 7 waits, because the queue is paused (key is being changed).",
    ),
    (
        status(task=task("pending", error_class="provider_down", error_message="h answered 503")),
        replace(RUNNING, held={"a": "The provider a has not responded for 5 min; next attempt in 12 s."}),
        "Not found by meaning: task 7 waits. The provider a has not responded for 5 min; next attempt in 12 s.",
    ),
    (
        status(task=task("pending")),
        replace(RUNNING, held={"b": "The provider b has not responded for 5 min; next attempt in 12 s."}),
        "Not found by meaning: task 7 waits for a worker.",
    ),
    (
        status(**OLD | {"source_version": 3}, task=task("processing", attempts=1)),
        RUNNING,
        "Found by the text of version 3, not yet by its present text: a worker is embedding it right now "
        "(attempt 1 of 3).",
    ),
    (
        status(**OLD, task=task("processing", attempts=1)),
        RUNNING,
        "Found by the text of version 2, not yet by version 3: a worker is embedding it right now (attempt 1 of 3).",
    ),
    (
        status(task=RETRYING),
        RUNNING,
        "Not found by meaning: attempt 1 of 3 failed (transient: HTTP 500 from the provider); "
        "the next attempt is in 12 s.",
    ),
    (
        status(task=task("failed", attempts=3, error_class="invalid_input", error_message="poison")),
        RUNNING,
        "Not found by meaning: embedding failed after 3 attempts (invalid input: poison). Requeue task 7 to try again.",
    ),
    (
        status(task=task("cancelled")),
        RUNNING,
        "Not found by meaning: task 7 was cancelled. Requeue it to embed the article.",
    ),
    (
        status(),
        RUNNING,
        "Not found by meaning: its current text has no task; the sweep, every 5 s, checks a part and will create one.",
    ),
    (status(), Blockers(Mode.DISABLED, False, ""), "Not found by meaning: embedding is switched off."),
]


@pytest.mark.parametrize(("stands", "brakes", "sentence"), SENTENCES)
def test_a_sentence_says_why_an_article_is_found_or_not(
    stands: ArticleStatus | None, brakes: Blockers, sentence: str
) -> None:
    assert why(stands, brakes) == sentence


@pytest.fixture
def space(db: None) -> Space:
    return make_space()


def embed(article: Article, space: Space, chunks: int = 1) -> None:
    """As if a worker had embedded the article's text as it is now."""
    article.refresh_from_db()
    ArticleEmbedding.objects.filter(article=article, space=space).delete()
    ArticleEmbedding.objects.create(
        article=article,
        space=space,
        chunk_index=0,
        chunk_count=chunks,
        span=(0, 1),
        text_hash=b"0" * 16,
        source_version=article.version_number,
        source_hash=article.content_hash,
        embedding=[0.0] * 7 + [1.0] if chunks else None,
    )
    TaskRow.objects.filter(article=article).update(status=Status.COMPLETED, outcome="embedded")


def test_states_of_many_articles_cost_one_query(space: Space) -> None:
    articles = [make_article(f"Title {number}", " " if number == 1 else "Text.") for number in range(5)]
    embed(articles[0], space)
    embed(articles[1], space, chunks=0)
    modes.current()
    with CaptureQueriesContext(connection) as queries:
        states = embedding_states(articles)
    assert len(queries) == 1
    assert [states[article.pk]["state"] for article in articles[:3]] == ["embedded", "empty", "pending"]
    assert states[articles[0].pk] == {
        "state": "embedded",
        "space": str(space),
        "source_version": 1,
        "chunks": 1,
    }


def test_a_new_article_has_the_state_the_database_would_return(space: Space) -> None:
    article = make_article()
    assert state_of_new(article) == embedding_states([article])[article.pk]
    with CaptureQueriesContext(connection) as queries:
        state_of_new(article)
    assert len(queries) == 0


@pytest.mark.parametrize("mode", [Mode.DISABLED, Mode.SYNCHRONOUS])
def test_where_no_queue_runs_a_new_article_is_looked_at(space: Space, mode: Mode) -> None:
    article = make_article()
    QueueState.objects.update(mode=mode)
    modes.forget()
    assert state_of_new(article) == embedding_states([article])[article.pk]


def test_an_edited_article_is_still_found_by_its_earlier_text(space: Space) -> None:
    article = make_article()
    embed(article, space)
    article.content = "New text."
    article.save()
    answer = embedding_states([article])[article.pk]
    assert (answer["state"], answer["source_version"]) == ("pending", 1)


def test_a_requeued_old_task_says_more_than_a_newer_one_that_ended(space: Space) -> None:
    article = make_article()
    TaskRow.objects.filter(article=article).update(status=Status.FAILED)
    TaskRow.objects.create(
        article=article, space=space, status=Status.COMPLETED, outcome="embedded", completed_at=NOW
    )
    assert embedding_states([article])[article.pk]["state"] == "behind"
    TaskRow.objects.filter(article=article, status=Status.FAILED).update(status=Status.PENDING)
    assert embedding_states([article])[article.pk]["state"] == "pending"


def test_before_a_space_serves_the_newest_one_is_reported(space: Space) -> None:
    space.state = "ready"
    space.save()
    article = make_article()
    assert embedding_states([article])[article.pk]["space"] == str(space)
    assert "no embedding space serves" in explain(article)["why"]


def test_without_any_space_an_article_is_not_embedded_at_all(db: None) -> None:
    Space.objects.all().delete()
    article = make_article()
    assert embedding_states([article])[article.pk]["state"] == "disabled"
    assert state_of_new(article) == embedding_states([article])[article.pk]
    assert explain(article)["spaces"] == []
    assert embedding_states([]) == {}


def test_an_article_that_was_deleted_meanwhile_is_not_an_error(space: Space) -> None:
    gone = SimpleNamespace(pk=10**9)
    assert embedding_states([gone])[10**9]["state"] == "disabled"  # type: ignore[list-item]


def test_an_outage_of_its_provider_explains_why_it_waits(space: Space, worker: Worker) -> None:
    article = make_article()
    ProviderState.objects.create(name="openai", breaker="open", opened_at=Now(), last_error="h answered 503")
    said = explain(article)["why"]
    assert "has not responded for 0 s (h answered 503)" in said
