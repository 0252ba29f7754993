"""A worker's row: the brake that plain SQL sets, and the name it is shown by."""

import pytest
from django.db import connection

from queueops.models import Worker
from tests.queueops.factories import make_worker


@pytest.mark.django_db
def test_the_stopped_are_those_that_anybody_braked() -> None:
    braked, _ = make_worker(name="a"), make_worker(name="b")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE embedding_worker_status SET is_running = false WHERE name = 'a'")
    assert list(Worker.objects.stopped()) == [braked]


@pytest.mark.parametrize(("name", "told"), [("host:7", "host:7"), ("", "worker 3")])
def test_a_worker_without_a_name_is_told_by_its_number(name: str, told: str) -> None:
    assert str(Worker(pk=3, name=name)) == told
