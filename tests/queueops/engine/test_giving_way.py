"""Concurrent tasks of one article: the newest text wins; neither paid vectors nor a priority are lost."""

import threading
from collections.abc import Callable

import psycopg
import pytest
from django.db import connection

from embeddings.models import ArticleEmbedding, Space
from queueops.engine import claims, execution, settling_in_parts
from queueops.maintenance import reaper
from queueops.models import Task, Worker
from queueops.monitoring import invariant_check
from tests.concurrently import another_session, together, waiting_sessions
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_tasks
from tests.queueops.maintenance.test_sweep import expire
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

_EDIT = "UPDATE articles SET content = %s, version_number = version_number + 1 WHERE id = %s"
_ENQUEUE = """
INSERT INTO embedding_tasks (article_id, slug, space_id, priority, content_hash, source_version)
SELECT id, slug, %s, 'low', content_hash, version_number FROM articles WHERE id = %s
"""


def result_beside_locks[T](session: psycopg.Connection, work: Callable[[], T]) -> T:
    """The result of `work`, started while the session holds locks that it releases once `work` waits for them."""
    answers: list[T] = []
    thread = threading.Thread(target=lambda: answers.extend(together(1, work)))
    thread.start()
    wait_until(lambda: waiting_sessions() > 0, 10, "somebody who waits")
    session.commit()
    thread.join()
    return answers[0]


def kinds() -> list[tuple[str, str]]:
    return list(Task.objects.order_by("id").values_list("status", "outcome"))


def test_an_edit_that_joined_a_task_in_the_moment_of_its_claim_is_embedded(
    space: Space, worker: Worker
) -> None:
    article = make_article("T", "The old text.")
    claim = claims.claim_due(space, 10, worker.pk, worker.name)
    with connection.cursor() as cursor:  # what the claim's snapshot did not see
        cursor.execute(_EDIT, ["The new text.", article.pk])
    settled = execution.execute(claim)
    assert (settled.retried, settled.outcomes.total(), kinds()) == (1, 0, [("pending", "")])
    assert settled.retry_in is not None
    task = Task.objects.get()
    article.refresh_from_db()
    assert (task.attempts, str(task.content_hash)) == (0, str(article.content_hash))
    execution.execute(claims.claim_due(space, 10, worker.pk, worker.name))
    assert ArticleEmbedding.objects.get().source_hash == article.content_hash
    assert not list(invariant_check.broken(at_rest=True))


def test_a_text_that_would_be_parked_but_is_no_longer_the_newest_gives_way_to_that(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    provider.config(poison="old")
    article = make_article("T", "The old text.")
    claim = claims.claim_due(space, 10, worker.pk, worker.name)
    with connection.cursor() as cursor:
        cursor.execute(_EDIT, ["The new text.", article.pk])
    assert execution.execute(claim).failed == 0
    assert kinds() == [("pending", "")]


def test_a_task_that_gives_way_is_scheduled_for_no_later_try(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    """Put back to waiting by plain SQL, it is due at once."""
    provider.config(fail_next=["500"] * 10)
    article = make_article("T", "The old text.")
    claim = claims.claim_due(space, 10, worker.pk, worker.name)
    article.content = "The new text."
    article.save()
    execution.execute(claim)
    assert kinds() == [("completed", "superseded"), ("pending", "")]
    Task.objects.pending().update(status="cancelled")
    Task.objects.filter(status="completed").update(status="pending")
    assert claims.claim_due(space, 10, worker.pk, worker.name).tasks


def test_a_task_that_an_operator_cancelled_meanwhile_is_not_restarted(space: Space, worker: Worker) -> None:
    article = make_article("T", "The old text.")
    claim = claims.claim_due(space, 10, worker.pk, worker.name)
    article.content = "The new text."
    article.save()
    Task.objects.pending().update(status="cancelled")
    execution.execute(claim)
    assert kinds() == [("completed", "superseded"), ("cancelled", "")]


def test_a_task_that_somebody_is_just_making_costs_no_failed_batch_its_settling(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    provider.config(fail_next=["500"] * 10)
    article = make_article("T", "A text.")
    make_tasks(5, space)
    claim = claims.claim_due(space, 10, worker.pk, worker.name)
    with another_session() as other:
        other.execute(_ENQUEUE, [space.pk, article.pk])
        settled = result_beside_locks(other, lambda: execution.execute(claim))
    assert (settled.lost, settled.retried) == (0, 5)
    assert not Task.objects.processing().exists()


def test_an_edit_that_is_just_being_saved_costs_no_stopping_worker_its_release(
    space: Space, worker: Worker
) -> None:
    article = make_article("T", "The old text.")
    make_tasks(5, space)
    claims.claim_due(space, 10, worker.pk, worker.name)
    with another_session() as other:
        other.execute(_EDIT, ["The new text.", article.pk])
        other.execute(_ENQUEUE, [space.pk, article.pk])
        assert result_beside_locks(other, lambda: reaper.release_held(worker.name)) == 6
    assert sorted(kinds()) == [("completed", "superseded")] + [("pending", "")] * 6


def test_nor_the_sweep_what_it_returns(space: Space, worker: Worker) -> None:
    article = make_article("T", "The old text.")
    make_tasks(5, space)
    claims.claim_due(space, 10, worker.pk, worker.name)
    expire()
    with another_session() as other:
        other.execute(_EDIT, ["The new text.", article.pk])
        other.execute(_ENQUEUE, [space.pk, article.pk])
        assert result_beside_locks(other, reaper.return_expired) == (6, 0)
    assert not Task.objects.processing().exists()


def test_a_newer_task_of_a_lower_rank_takes_over_the_rank_of_the_one_that_gives_way(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    provider.config(fail_next=["429"])
    article = make_article("T", "A text.")
    claim = claims.claim_due(space, 10, worker.pk, worker.name)
    with another_session() as other:
        other.execute(_ENQUEUE, [space.pk, article.pk])
        other.commit()
    execution.execute(claim)
    assert kinds() == [("completed", "superseded"), ("pending", "")]
    assert Task.objects.pending().get().priority == "normal"


def test_a_newer_task_of_a_higher_rank_keeps_its_own(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    provider.config(fail_next=["429"])
    article = make_article("T", "A text.")
    claim = claims.claim_due(space, 10, worker.pk, worker.name)
    with another_session() as other:
        other.execute(_ENQUEUE.replace("'low'", "'high'"), [space.pk, article.pk])
        other.commit()
    execution.execute(claim)
    assert Task.objects.pending().get().priority == "high"


def test_an_article_that_somebody_keeps_locked_does_not_hold_up_its_batch(
    space: Space, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("_LOCK_SECONDS", 0.2), ("_BRIEFLY", 0.05), ("_LOCKED_FOR", 0.3)):
        monkeypatch.setattr(settling_in_parts, name, seconds)
    article = make_article("T", "A text.")
    make_tasks(9, space)
    claim = claims.claim_due(space, 10, worker.pk, worker.name)
    with another_session() as other:
        other.execute(
            "SET idle_in_transaction_session_timeout = '10s'"
        )  # ends a settling that would wait for ever
        other.execute("SELECT FROM articles WHERE id = %s FOR UPDATE", [article.pk])
        settled = execution.execute(claim)
    assert (settled.outcomes["embedded"], settled.retried, settled.lost) == (9, 1, 0)
    task = Task.objects.get(article=article)
    assert (task.status, task.attempts) == ("pending", 0)
    assert "kept the article locked" in task.error_message


def test_a_task_that_plain_sql_marked_as_in_work_is_given_back(space: Space) -> None:
    make_tasks(1, space)
    Task.objects.update(status="processing")
    assert reaper.return_expired() == (1, 0)
    assert kinds() == [("pending", "")]
