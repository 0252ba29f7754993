"""The record of a settled batch: an audit row, one for each parked task, and a row for each number."""

from typing import Any

import pytest

from queueops.engine import batch_history
from queueops.models import AuditLog, Metric

pytestmark = pytest.mark.django_db
LABELS: dict[str, Any] = {"space": 7, "provider": "openai"}


def test_a_batch_leaves_its_counts_without_zeros_and_its_numbers_with_their_labels() -> None:
    numbers = {"batch_seconds": 1.5, "batch_tasks": 3.0, "provider_texts": 0.0}
    batch_history.write({"embedded": 3, "failed": 0}, numbers, LABELS, [])
    row = AuditLog.objects.get()
    assert (row.category, row.level, row.metadata) == ("engine", "info", {"embedded": 3, "space": 7})
    assert dict(Metric.objects.values_list("name", "value")) == numbers
    assert all(metric.labels == LABELS for metric in Metric.objects.all())
    assert (
        Metric.objects.values("timestamp").distinct().count() == 1
    )  # one statement: throughput.py joins by it


def test_a_batch_without_numbers_has_its_audit_row_all_the_same() -> None:
    batch_history.write({}, {}, LABELS, [])
    assert AuditLog.objects.get().metadata == {"space": 7}
    assert not Metric.objects.exists()


def test_each_parked_task_has_a_row_of_its_own() -> None:
    batch_history.write(
        {"failed": 2}, {}, LABELS, [batch_history.parked(n, 10 * n, 3, "auth: no") for n in (1, 2)]
    )
    rows = AuditLog.objects.filter(event="parked").order_by("task_id")
    assert [(row.task_id, row.level, row.metadata) for row in rows] == [
        (1, "error", {"attempts": 3, "article_id": 10}),
        (2, "error", {"attempts": 3, "article_id": 20}),
    ]
    assert "auth: no" in rows[0].message


@pytest.mark.parametrize("error", ["", "x" * 10_000, "'; DROP TABLE articles; --", "é\u2028{}%s"])
def test_whatever_the_error_says_its_row_is_bounded_and_written(error: str) -> None:
    batch_history.write({}, {}, LABELS, [batch_history.parked(1, 1, 3, error)])
    message = AuditLog.objects.get(event="parked").message
    assert error[:100] in message
    assert len(message) <= batch_history.MESSAGE_CHARACTERS
