"""What the statements of bulk operations have in common, asked of the database itself."""

from typing import Any

import pytest
from django.db import connection, transaction

from queueops.operate.operations import sql


def ask(statement: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("names", "told"), [("a", {"a": 1}), ("a b", {"a": 1, "b": None}), (" b  a ", {"a": 1, "b": None})]
)
def test_columns_become_an_object_by_their_names(names: str, told: dict[str, Any]) -> None:
    [(found,)] = ask(f"SELECT {sql.columns('r', names)}::text::json FROM (SELECT 1 AS a, NULL::text AS b) r")
    assert found == told


@pytest.mark.django_db
def test_a_source_of_audit_rows_has_what_was_and_what_became_of_each_row() -> None:
    rows = ask(
        "WITH locked (id, status) AS (VALUES (1, 'failed'), (2, 'failed')), "
        "changed (id, status) AS (VALUES (2, 'pending')) "
        + sql.from_to("status").replace("jsonb_build_object", "json_build_object")
    )
    assert rows == [(2, {"status": "failed"}, {"status": "pending"})]


def test_the_sources_of_an_operation_are_joined() -> None:
    joined = sql.logged("SELECT 1", "SELECT 2")
    assert "SELECT 1 UNION ALL SELECT 2" in joined
    assert "UNION" not in sql.logged("SELECT 1")


@pytest.mark.django_db(transaction=True)
def test_the_guard_holds_for_its_transaction_alone() -> None:
    names = ("TimeZone", "lock_timeout", "idle_in_transaction_session_timeout")
    outside = [ask(f"SHOW {name}")[0][0] for name in names]
    with transaction.atomic():
        ask(sql.GUARD)
        assert [ask(f"SHOW {name}")[0][0] for name in names] == ["UTC", "100ms", "30s"]
    assert [ask(f"SHOW {name}")[0][0] for name in names] == outside
