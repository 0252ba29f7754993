"""The one row of the queue's state: there is always one, and never another."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from queueops.base import installed
from queueops.models import QueueState

pytestmark = pytest.mark.django_db


def test_a_missing_row_is_made_and_one_that_is_there_stays() -> None:
    QueueState.objects.all().delete()
    QueueState.ensure_row()
    assert QueueState.objects.get().mode == ""
    QueueState.objects.update(mode="disabled", is_paused=True)
    QueueState.ensure_row(sender=None)
    state = QueueState.objects.get()
    assert (state.mode, state.is_paused) == ("disabled", True)


def test_where_the_queue_is_not_installed_no_row_is_made() -> None:
    QueueState.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("DROP VIEW queue_is_installed")
        QueueState.ensure_row()
        assert not QueueState.objects.exists()
        cursor.execute(installed.PUT_UP)


@pytest.mark.parametrize("fields", [{"id": 2}, {"id": 1, "mode": "off"}, {"id": 1, "mode": "QUEUED"}])
def test_the_database_refuses_a_second_row_and_an_unknown_mode(fields: dict[str, Any]) -> None:
    QueueState.objects.all().delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        QueueState.objects.create(**fields)
    QueueState.ensure_row()


@pytest.mark.parametrize(("is_paused", "word"), [(True, "paused"), (False, "running")])
def test_it_says_in_a_word_whether_it_runs(is_paused: bool, word: str) -> None:
    assert str(QueueState(is_paused=is_paused)) == word
