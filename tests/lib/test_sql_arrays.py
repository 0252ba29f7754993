"""Arrays as one text each come back as they went."""

import pytest
from django.db import connection

from lib.sql_arrays import of_bytes, of_integers

pytestmark = pytest.mark.django_db


def back(cast: str, text: str) -> list[object]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT unnest(%s::{cast}[])", [text])
        return [bytes(value) if isinstance(value, memoryview) else value for (value,) in cursor.fetchall()]


@pytest.mark.parametrize("values", [[], [0], [1, -1, 1], [-(2**63), 2**63 - 1], list(range(10_000))])
def test_integers(values: list[int]) -> None:
    assert back("bigint", of_integers(values)) == values
    assert back("bigint", of_integers(iter(values))) == values


@pytest.mark.parametrize(
    "values", [[], [b""], [b"\x00", b'"', b"\\", b"{,}", b"NULL"], [bytes(range(256))] * 3]
)
def test_bytes(values: list[bytes]) -> None:
    assert back("bytea", of_bytes(values)) == values
