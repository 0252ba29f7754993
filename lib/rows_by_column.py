"""Rows of a query by the names of their columns: where there are many, places are easily mixed up."""

from collections.abc import Mapping
from typing import Any

from django.db.backends.utils import CursorWrapper


def named_rows(cursor: CursorWrapper) -> list[dict[str, Any]]:
    """All rows that the cursor still has."""
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def part(row: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The columns whose names start with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}
