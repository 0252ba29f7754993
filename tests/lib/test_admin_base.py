"""Lists of the admin on tables of any size."""

from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lib.admin_base import COUNT_LIMIT, BoundedCount, BoundedPaginator, ReadOnly, row_id


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (999, "999"), (9_999, "9,999"), (COUNT_LIMIT, "10,000+"), (COUNT_LIMIT + 1, "10,000+")],
)
def test_a_count_says_where_counting_stopped(number: int, shown: str) -> None:
    assert str(BoundedCount(number)) == shown
    assert BoundedCount(number) == number


@pytest.mark.parametrize("number", [0, 1, 25])
def test_a_list_in_memory_is_counted_as_it_is(number: int) -> None:
    paginator = BoundedPaginator(list(range(number)), 10)
    assert (paginator.count, paginator.num_pages) == (number, max(1, -(-number // 10)))


@pytest.mark.django_db
@pytest.mark.parametrize(("rows", "count"), [(0, 0), (2, 2), (3, 3), (4, 3)])
def test_rows_are_counted_up_to_the_bound_and_sorted_by_nobody(
    monkeypatch: pytest.MonkeyPatch, rows: int, count: int
) -> None:
    monkeypatch.setattr(BoundedPaginator, "count_limit", 3)
    Group.objects.all().delete()
    Group.objects.bulk_create(Group(name=f"group {n}") for n in range(rows))
    with CaptureQueriesContext(connection) as queries:
        assert BoundedPaginator(Group.objects.order_by("name"), 2).count == count
    (query,) = queries
    assert "LIMIT 3" in query["sql"]
    assert "ORDER BY" not in query["sql"]


@pytest.mark.parametrize(("number", "shown"), [(2, "2"), (3, "3+"), (4, "3+")])
def test_a_count_may_have_a_bound_of_its_own(number: int, shown: str) -> None:
    assert str(BoundedCount(number, 3)) == shown


def test_rows_that_only_the_system_writes_can_be_looked_at_alone() -> None:
    page, request = ReadOnly(), SimpleNamespace()
    for asked in (page.has_add_permission, page.has_change_permission, page.has_delete_permission):
        assert asked(request) is False  # type: ignore[arg-type]
        assert asked(request, None) is False  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("term", "found"),
    [("1", 1), ("0", 0), ("007", 7), ("9" * 18, int("9" * 18))]
    + [(term, None) for term in ("", " 1", "-1", "1.0", "1e3", "٣", "²", "x", "9" * 19, "9" * 5_000)],
)
def test_a_term_that_spells_a_key_is_one(term: str, found: int | None) -> None:
    assert row_id(term) == found
