"""The audit log is read newest first, by filters that are taken together, and a bounded number of rows a page."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db.models.functions import Now

from queueops.models import AuditLog
from queueops.monitoring import audit_list
from queueops.monitoring.audit_list import AuditFilter

pytestmark = pytest.mark.django_db
OPERATION = UUID(int=7)


def write(number: int = 1, **fields: Any) -> None:
    for _ in range(number):
        AuditLog.objects.create(**{"category": "engine", "message": "batch settled"} | fields)


def messages(which: AuditFilter) -> list[str]:
    return [entry.message for entry in audit_list.page(which, limit=50).entries]


@pytest.fixture
def entries() -> None:
    write(message="old", timestamp=Now() - timedelta(days=2))
    write(message="parked", level="error", event="parked", task_id=5)
    write(
        message="stop",
        category="operator",
        actor="ada",
        operation_id=OPERATION,
        metadata={"reason": "an upgrade"},
    )
    write(message="sign-in", category="access", actor="ada")


@pytest.mark.parametrize(
    ("which", "found"),
    [
        (AuditFilter(), ["sign-in", "stop", "parked", "old"]),
        (AuditFilter(level="error"), ["parked"]),
        (AuditFilter(event="parked"), ["parked"]),
        (AuditFilter(category="operator"), ["stop"]),
        (AuditFilter(actor="ada"), ["sign-in", "stop"]),
        (AuditFilter(actor="ada", category="engine"), []),
        (AuditFilter(operation=OPERATION), ["stop"]),
        (AuditFilter(operation=uuid4()), []),
        (AuditFilter(task=5), ["parked"]),
        (AuditFilter(newer_than=timedelta(hours=1)), ["sign-in", "stop", "parked"]),
        (AuditFilter(without_access=True), ["stop", "parked", "old"]),
        (AuditFilter(category="access", without_access=True), []),
    ],
)
def test_entries_match_every_given_field(entries: None, which: AuditFilter, found: list[str]) -> None:
    assert messages(which) == found


def test_an_entry_has_its_reason_also_where_metadata_is_not_an_object(entries: None) -> None:
    write(message="by hand", metadata=["no object"])
    found = {entry.message: entry.reason for entry in audit_list.page(AuditFilter(), limit=50).entries}
    assert (found["stop"], found["by hand"]) == ("an upgrade", "")


def test_pages_follow_one_another_without_a_gap() -> None:
    write(5)
    first = audit_list.page(AuditFilter(), limit=3)
    last = audit_list.page(AuditFilter(), after=first.next, limit=3)
    assert len({entry.id for entry in (*first.entries, *last.entries)}) == 5
    assert last.next is None


def test_a_page_reads_a_bounded_number_of_rows_and_says_where_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit_list, "READ_MOST", 3)
    write(message="the one", actor="ada")
    write(7)
    after, pages = None, 0
    while True:
        page = audit_list.page(AuditFilter(actor="ada"), after=after, limit=2)
        pages += 1
        if page.entries or page.next is None:
            break
        after = page.next
    assert ([entry.message for entry in page.entries], pages) == (["the one"], 3)


def test_reading_ends_where_entries_are_older_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_list, "READ_MOST", 2)
    write(5, timestamp=Now() - timedelta(days=2))
    found = audit_list.page(AuditFilter(newer_than=timedelta(hours=1)), limit=2)
    assert (found.entries, found.next) == ([], None)
    assert audit_list.page(AuditFilter(newer_than=timedelta(days=9), actor="x"), limit=2).next is not None
