"""A database that goes away for a moment costs no batch its lease, and nothing that was paid for."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from pytest_django import Settings

from embeddings.models import Space
from queueops.base.database_retry import with_database_retry
from queueops.engine import claim_statements, claims, execution
from queueops.models import ProviderState, Task, Worker
from queueops.worker import drain
from tests.providers import FakeProvider
from tests.queueops.connection_cutter import cut_off
from tests.queueops.factories import make_article, make_tasks

pytestmark = pytest.mark.django_db(transaction=True)
ARTICLES = "SELECT FROM articles FOR UPDATE"
VECTORS = "LOCK TABLE article_embeddings"
PROVIDERS = "LOCK TABLE provider_states"
WORKERS = "LOCK TABLE embedding_worker_status"


@pytest.fixture
def work(space: Space, worker: Worker) -> Callable[..., drain.Drained]:
    return lambda: drain.drain(worker.pk, seconds=5)


def embedded() -> int:
    """How many tasks are, without a second attempt."""
    return Task.objects.filter(status="completed", outcome="embedded", attempts=1).count()


@pytest.mark.parametrize("lock", [WORKERS, VECTORS, ARTICLES])
def test_a_batch_whose_session_ends_at_the_claim_before_or_after_the_provider_goes_on(
    work: Callable[..., drain.Drained], space: Space, provider: FakeProvider, lock: str
) -> None:
    make_tasks(3, space)
    assert cut_off(work, lock).tasks == 3
    assert embedded() == 3
    assert provider.stats()["requests"] == 1


def test_a_claim_whose_answer_was_lost_is_not_lost(space: Space, worker: Worker) -> None:
    tasks = make_tasks(3, space)

    def lose_the_answer(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        answer = execute(sql, params, many, context)
        if sql == claim_statements.CLAIM_DUE and not lost:
            lost.append(sql)
            raise OperationalError("the connection was cut")
        return answer

    lost: list[str] = []
    with connection.execute_wrapper(lose_the_answer):
        claim = claims.claim_due(space, 2, worker.pk, worker.name)
    assert lost
    assert {task.task_id for task in claim.tasks} == {task.pk for task in tasks[:2]}
    assert set(Task.objects.processing().values_list("attempts", "claim_token")) == {(1, claim.token)}
    assert execution.execute(claim).outcomes == {"embedded": 2}


def test_a_verdict_that_could_not_be_reported_is_reported_after_the_vectors_are_written(
    space: Space, worker: Worker, provider: FakeProvider, settings: Settings
) -> None:
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9"
    ProviderState.objects.create(name="openai")
    make_tasks(1, space)
    claim = claims.claim_due(space, 1, worker.pk, worker.name)
    settled = cut_off(lambda: execution.execute(claim), "SELECT FROM provider_states FOR UPDATE")
    assert settled.retried == 1
    assert ProviderState.objects.get().failures == 1


def test_what_was_paid_for_before_the_budget_could_not_be_asked_is_kept(
    space: Space, worker: Worker, provider: FakeProvider, settings: Settings
) -> None:
    settings.EMBEDDING_TOKENS_PER_MINUTE = 1_000  # a hundred a request
    for n in range(2):
        make_article(f"Title {n}", f"{n} " * 120)
    claim = claims.claim_due(space, 2, worker.pk, worker.name)
    provider.config(latency_ms=300)
    settled = cut_off(lambda: execution.execute(claim), PROVIDERS, after=lambda: provider.stats()["requests"])
    assert (settled.outcomes, settled.retried) == ({"embedded": 1}, 1)
    waiting = Task.objects.pending().get()
    assert (waiting.attempts, "database is away" in waiting.error_message) == (0, True)


def test_inside_a_transaction_nothing_is_tried_again() -> None:
    tries = []

    def fail() -> None:
        tries.append(1)
        raise OperationalError

    with transaction.atomic(), pytest.raises(OperationalError):
        with_database_retry(fail, "a test")
    assert len(tries) == 1
