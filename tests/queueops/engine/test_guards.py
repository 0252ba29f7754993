"""Each guard of the queue holds by itself, where others would mostly hold in its place (drills/guards takes them
away one at a time)."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from articles.models import Article
from embeddings.models import ArticleEmbedding, Space
from queueops.admission import gate
from queueops.admission.circuit_breaker import BatchVerdict
from queueops.admission.gate import Permit
from queueops.engine import claim_statements, claims, execution
from queueops.engine.enqueue import Reason, enqueue
from queueops.maintenance import reaper
from queueops.models import ProviderState, Status, Task, Worker
from queueops.worker import leases
from tests.concurrently import another_session, waiting_sessions
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_tasks
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db
beside_others = pytest.mark.django_db(transaction=True)
untidied = pytest.mark.impossible_rows("a status was changed without the trigger that takes the rest along")


@pytest.fixture
def claim(space: Space, worker: Worker) -> Callable[..., claims.Claim]:
    return lambda size=10: claims.claim_due(space, size, worker.pk, worker.name)


def sql(statement: str, *arguments: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)


def wait_for_no_lock() -> None:
    """Makes every wait for a lock in this transaction fail from now on."""
    sql("SET LOCAL lock_timeout = '1s'")


def set_text_without_the_trigger(content: str) -> None:
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    sql("ALTER TABLE articles DISABLE TRIGGER articles_keep_text")
    sql("UPDATE articles SET content = %s", content)


def set_status_without_the_trigger(status: str) -> None:
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    sql("ALTER TABLE embedding_tasks DISABLE TRIGGER embedding_tasks_tidy")
    sql("UPDATE embedding_tasks SET status = %s", status)


# --- settle


@untidied
def test_a_task_that_was_ended_is_not_settled_even_if_its_token_is_still_there(
    claim: Callable[..., claims.Claim], space: Space
) -> None:
    make_tasks(1, space)
    held = claim()
    set_status_without_the_trigger("failed")
    assert execution.execute(held).lost == 1
    assert Task.objects.get().status == "failed"
    assert not ArticleEmbedding.objects.exists()


@untidied
def test_a_task_that_was_ended_does_not_fail_even_if_its_token_is_still_there(
    claim: Callable[..., claims.Claim], space: Space, provider: FakeProvider
) -> None:
    make_tasks(1, space)
    held = claim()
    set_status_without_the_trigger("cancelled")
    provider.config(rate_500=1.0)
    assert execution.execute(held).lost == 1
    assert Task.objects.get().status == "cancelled"


def test_a_task_that_another_worker_has_now_does_not_fail(
    claim: Callable[..., claims.Claim], space: Space, provider: FakeProvider
) -> None:
    make_tasks(1, space)
    held = claim()
    Task.objects.update(claim_token=uuid.uuid4())
    provider.config(rate_500=1.0)
    assert execution.execute(held).lost == 1
    assert Task.objects.get().status == "processing"


def test_a_text_that_plain_sql_changed_in_flight_gets_no_vectors_of_the_old_one(
    claim: Callable[..., claims.Claim],
) -> None:
    make_article("A title", "The old text.")
    held = claim()
    set_text_without_the_trigger("The new text.")  # its version number stays
    assert not execution.execute(held).outcomes
    assert Task.objects.get().status == "pending"
    assert not ArticleEmbedding.objects.exists()


def test_a_text_that_was_changed_and_changed_back_in_flight_is_embedded_as_its_newest_version(
    claim: Callable[..., claims.Claim],
) -> None:
    article = make_article("A title", "The text.")
    held = claim()
    for content in ("Another text.", "The text."):
        article.content = content
        article.save()
    assert execution.execute(held).outcomes == {"superseded": 1}
    execution.execute(claim())
    assert article.embeddings.get().source_version == 3


@beside_others
def test_an_article_does_not_change_between_the_look_at_it_and_the_commit_of_its_vectors(
    claim: Callable[..., claims.Claim], space: Space
) -> None:
    make_tasks(1, space)
    held = claim()
    with transaction.atomic(), another_session() as other:
        execution.execute(held)
        other.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("UPDATE articles SET content = 'Newer.'")


@beside_others
def test_articles_are_locked_in_the_order_of_their_ids_wherever_they_lie(
    claim: Callable[..., claims.Claim], space: Space
) -> None:
    first, second = (task.article_id for task in make_tasks(2, space))
    sql(
        "UPDATE articles SET metadata = '{\"moved\": true}' WHERE id = %s", first
    )  # now it lies behind the second
    held = claim()

    def settle() -> None:
        with transaction.atomic():
            sql("SET LOCAL enable_indexscan = off")
            sql("SET LOCAL enable_bitmapscan = off")
            execution.execute(held)
        connection.close()

    thread = threading.Thread(target=settle)
    with another_session() as other:
        other.execute("SELECT FROM articles WHERE id = %s FOR UPDATE", [first])
        thread.start()
        wait_until(waiting_sessions, what="the settle to wait for the first article")
        with transaction.atomic():
            assert Article.objects.select_for_update(skip_locked=True).filter(pk=second).exists()
    thread.join()
    assert Task.objects.filter(status=Status.COMPLETED).count() == 2


def refuse_a_change_while_it_settles(held: claims.Claim, change: LiteralString, *values: int) -> None:
    """Another session's change of tasks, made while the claim is being settled, waits for the end of that."""

    def settle() -> None:
        try:
            execution.execute(held)
        finally:
            connection.close()

    thread = threading.Thread(target=settle)
    with another_session() as reader, another_session() as operator:
        reader.execute("SELECT FROM article_embeddings FOR UPDATE")
        thread.start()
        wait_until(waiting_sessions, what="the settle to wait for the old vector")
        operator.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            operator.execute(change, values)
    thread.join()


@beside_others
def test_a_task_does_not_change_between_the_look_at_it_and_the_commit_of_its_vectors(
    claim: Callable[..., claims.Claim],
) -> None:
    article = make_article("A title", "The old text.")
    execution.execute(claim())
    article.content = "The new text."
    article.save()
    refuse_a_change_while_it_settles(
        claim(), "UPDATE embedding_tasks SET status = 'cancelled' WHERE status = 'processing'"
    )
    assert article.embeddings.get().source_version == 2


@beside_others
def test_a_task_that_fails_does_not_change_between_the_look_at_it_and_the_commit(
    claim: Callable[..., claims.Claim], provider: FakeProvider
) -> None:
    article = make_article("A title", "The old text.")
    execution.execute(claim())
    article.content = "The new text."
    article.save()
    poisoned = make_article("Another title", "POISON")
    provider.config(poison="POISON")
    refuse_a_change_while_it_settles(
        claim(), "UPDATE embedding_tasks SET status = 'cancelled' WHERE article_id = %s", poisoned.pk
    )
    assert poisoned.tasks.get().status == "failed"


# --- enqueue: a text whose task a worker holds with a valid lease needs no second task


def test_a_text_changed_by_plain_sql_during_processing_gets_a_task(
    claim: Callable[..., claims.Claim],
) -> None:
    article = make_article("A title", "The old text.")
    claim()
    assert enqueue([article.pk], Reason.EDIT) == 0
    set_text_without_the_trigger("The new text.")  # its version number stays
    assert enqueue([article.pk], Reason.EDIT) == 1


def test_a_text_that_came_back_during_processing_gets_a_task_for_its_newest_version(
    claim: Callable[..., claims.Claim],
) -> None:
    article = make_article("A title", "The text.")
    claim()
    for content in ("Another text.", "The text."):
        Task.objects.pending().delete()
        article.content = content
        article.save()
    assert Task.objects.pending().get().source_version == 3


def test_a_text_whose_worker_has_lost_its_lease_gets_a_task(claim: Callable[..., claims.Claim]) -> None:
    article = make_article()
    claim()
    Task.objects.update(lease_expires_at=Now() - timedelta(seconds=1))
    assert enqueue([article.pk], Reason.EDIT) == 1


# --- the provider's row, between a look at it and the change


@pytest.mark.parametrize(
    ("breaker", "seconds", "becomes"), [("open", -1, True), ("open", 60, False), ("closed", -1, False)]
)
def test_nobody_is_the_canary_of_a_provider_that_is_not_to_be_tried_any_more(
    breaker: str, seconds: int, becomes: bool
) -> None:
    """Another worker may have been it since, whether the provider answered or not."""
    retry_at = Now() + timedelta(seconds=seconds)
    ProviderState.objects.create(name="openai", breaker=breaker, retry_at=retry_at)
    assert bool(gate._become_canary("openai")) is becomes


@beside_others
def test_two_batches_that_fail_at_once_count_as_two() -> None:
    ProviderState.objects.create(name="openai")

    def tell() -> None:
        try:
            gate.report(Permit("openai"), BatchVerdict.FAILED)
        finally:
            connection.close()

    thread = threading.Thread(target=tell)
    with another_session() as other:
        other.execute("SELECT FROM provider_states FOR UPDATE")
        thread.start()
        wait_until(waiting_sessions, what="the second to wait for the row")
        other.execute("UPDATE provider_states SET failures = failures + 1")
        other.commit()
    thread.join()
    assert ProviderState.objects.get().failures == 2


# --- claim, renewal and recovery beside rows that others hold


@pytest.mark.parametrize("status", [status for status in Status if status != Status.PENDING])
def test_only_tasks_that_wait_are_claimed(
    claim: Callable[..., claims.Claim], space: Space, status: Status
) -> None:
    make_tasks(1, space, status)
    assert claim().tasks == []


@beside_others
@pytest.mark.parametrize("age", [0, 10])
def test_a_claim_passes_over_tasks_that_others_are_taking(
    claim: Callable[..., claims.Claim], space: Space, age: int
) -> None:
    locked, free = make_tasks(2, space, scheduled_at=Now() - timedelta(minutes=age))
    with another_session() as other, transaction.atomic():
        other.execute("SELECT FROM embedding_tasks WHERE id = %s FOR UPDATE", [locked.pk])
        wait_for_no_lock()
        assert [task.task_id for task in claim(20).tasks] == [free.pk]


@beside_others
def test_a_sweep_passes_over_a_task_that_is_being_settled(space: Space) -> None:
    locked, free = make_tasks(2, space, Status.PROCESSING, lease_expires_at=Now() - timedelta(seconds=1))
    with another_session() as other, transaction.atomic():
        other.execute("SELECT FROM embedding_tasks WHERE id = %s FOR UPDATE", [locked.pk])
        wait_for_no_lock()
        assert reaper.return_expired() == (1, 0)
    free.refresh_from_db()
    assert free.status == "pending"


@beside_others
def test_a_claim_for_articles_passes_over_tasks_that_others_are_taking(space: Space) -> None:
    locked, free = make_tasks(2, space)
    articles = [locked.article_id, free.article_id]
    with another_session() as other, transaction.atomic():
        other.execute("SELECT FROM embedding_tasks WHERE id = %s FOR UPDATE", [locked.pk])
        wait_for_no_lock()
        found = claims.claim_of_articles(space, articles, "a request")
        assert [task.task_id for task in found.tasks] == [free.pk]


@untidied
def test_a_claim_whose_answer_was_lost_does_not_bring_back_what_was_ended_meanwhile(
    claim: Callable[..., claims.Claim], space: Space
) -> None:
    make_tasks(1, space)
    held = claim()
    assert claims._rows(claim_statements.TAKEN, {"token": held.token})
    set_status_without_the_trigger("cancelled")
    assert not claims._rows(claim_statements.TAKEN, {"token": held.token})


@beside_others
def test_a_stopping_worker_passes_over_a_task_that_is_being_settled(space: Space) -> None:
    locked, free = make_tasks(2, space, Status.PROCESSING, claimed_by="worker 7")
    with another_session() as other, transaction.atomic():
        other.execute("SELECT FROM embedding_tasks WHERE id = %s FOR UPDATE", [locked.pk])
        wait_for_no_lock()
        assert reaper.release_held("worker 7") == 1
    free.refresh_from_db()
    assert free.status == "pending"


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
def test_a_stopping_worker_does_not_change_tasks_that_have_ended(space: Space, status: Status) -> None:
    make_tasks(1, space, status, claimed_by="worker 7")
    assert reaper.release_held("worker 7") == 0
    assert Task.objects.get().status == status


@beside_others
def test_a_sweep_passes_over_a_task_of_a_retired_space_that_is_being_changed(space: Space) -> None:
    locked, free = make_tasks(2, space)
    type(space).objects.update(state="retired")
    with another_session() as other, transaction.atomic():
        other.execute("SELECT FROM embedding_tasks WHERE id = %s FOR UPDATE", [locked.pk])
        wait_for_no_lock()
        assert reaper.end_retired() == 1
    free.refresh_from_db()
    assert free.status == "completed"


@untidied
def test_the_lease_of_a_task_that_was_ended_is_not_renewed_even_if_its_token_is_still_there(
    claim: Callable[..., claims.Claim], space: Space
) -> None:
    make_tasks(1, space)
    held = claim()
    set_status_without_the_trigger("cancelled")
    ends = Task.objects.get().lease_expires_at
    leases.renew([held.token])
    assert Task.objects.get().lease_expires_at == ends


# --- writes refused by the database itself


def test_an_article_cannot_wait_twice_in_a_space(space: Space) -> None:
    (task,) = make_tasks(1, space)
    with pytest.raises(IntegrityError, match="embedding_tasks_one_pending"), transaction.atomic():
        Task.objects.create(article_id=task.article_id, space=space)


def test_a_chunk_cannot_have_two_vectors_in_a_space(claim: Callable[..., claims.Claim], space: Space) -> None:
    article = make_article()
    execution.execute(claim())
    row = article.embeddings.get()
    row.pk = None
    with pytest.raises(IntegrityError, match="article_embeddings_one_per_chunk"), transaction.atomic():
        row.save(force_insert=True)
