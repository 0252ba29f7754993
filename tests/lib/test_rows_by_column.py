"""Rows by the names of their columns."""

import pytest
from django.db import connection

from lib.rows_by_column import named_rows, part


@pytest.mark.django_db
def test_rows_have_the_names_of_their_columns() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT n AS number, n * 2 AS twice FROM generate_series(1, 2) AS n")
        assert named_rows(cursor) == [{"number": 1, "twice": 2}, {"number": 2, "twice": 4}]
        assert named_rows(cursor) == []


def test_a_part_of_a_row_has_the_names_without_their_prefix() -> None:
    row = {"task_id": 1, "task_status": "pending", "article_id": 2, "tasks": 3}
    assert part(row, "task_") == {"id": 1, "status": "pending"}
    assert part(row, "other_") == {}
