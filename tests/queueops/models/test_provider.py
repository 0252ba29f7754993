"""What is remembered of a provider: a row that begins well, with a breaker of three states."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from queueops.models import Breaker, ProviderState


@pytest.mark.django_db
def test_a_row_of_plain_sql_needs_a_name_alone_and_is_well() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO provider_states (name) VALUES ('openai')")
    row = ProviderState.objects.get()
    assert (row.breaker, row.failures, row.openings, row.refusals) == ("closed", 0, 0, 0)
    assert (row.calls, row.tokens_today, row.last_error, row.canary) == ({}, 0, "", None)


@pytest.mark.django_db
@pytest.mark.parametrize("changes", [{"breaker": "ajar"}, {"breaker": ""}, {"failures": -1}])
def test_the_database_refuses_a_state_that_there_is_not(changes: dict[str, Any]) -> None:
    ProviderState.objects.create(name="openai")
    with pytest.raises(IntegrityError), transaction.atomic():
        ProviderState.objects.update(**changes)


@pytest.mark.parametrize(
    ("breaker", "told"), [("closed", "openai (closed)"), (Breaker.HALF_OPEN, "openai (half open)")]
)
def test_it_says_its_name_and_state(breaker: str, told: str) -> None:
    assert str(ProviderState(name="openai", breaker=breaker)) == told
