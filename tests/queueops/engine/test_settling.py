"""A settle holds its locks no longer than its lease."""

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from embeddings.models import Space
from queueops.admission import gate
from queueops.admission.circuit_breaker import BatchVerdict
from queueops.engine import claims, execution
from queueops.models import Worker
from tests.queueops.factories import make_tasks


def session_may_idle() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        return str(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_freezes_while_it_settles_loses_its_locks_with_its_lease(
    space: Space, worker: Worker, settings: Settings
) -> None:
    settings.EMBEDDING_WORKER_TIMEOUT = 60_000
    make_tasks(1, space)
    claim = claims.claim_due(space, 1, worker.pk, worker.name)
    with transaction.atomic():
        execution.execute(claim)
        assert session_may_idle() == "1min"
    assert session_may_idle() == "0"


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_freezes_while_reporting_its_provider_loses_the_row_with_its_lease(
    settings: Settings,
) -> None:
    settings.EMBEDDING_WORKER_TIMEOUT = 60_000
    with transaction.atomic():
        gate.report(gate.Permit("openai"), BatchVerdict.FAILED)
        assert session_may_idle() == "1min"
    assert session_may_idle() == "0"
