"""Giving the thread's connection back."""

import pytest
from django.db import connection, transaction

from lib import database_connection


@pytest.mark.django_db(transaction=True)
def test_a_connection_is_given_back_and_made_again_when_it_is_needed() -> None:
    connection.ensure_connection()
    database_connection.release()
    assert connection.connection is None
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db(transaction=True)
def test_a_connection_in_a_transaction_is_kept() -> None:
    with transaction.atomic():
        database_connection.release()
        assert connection.connection is not None
