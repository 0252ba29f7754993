"""The audit log and the metrics in the admin: found by exact keys, and shown whatever plain SQL wrote."""

import json
import uuid

import pytest
from django.contrib.admin import site
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from queueops.models import AuditLog, Metric
from tests.admin_rows import make_person

pytestmark = pytest.mark.django_db
AUDIT = reverse("admin:queueops_auditlog_changelist")


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(make_person("ada", "queueops.view_auditlog"))
    return client


def found(model: type[AuditLog | Metric], term: str) -> list[int]:
    admin = site._registry[model]
    rows, _ = admin.get_search_results(HttpRequest(), model._default_manager.all(), term)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def test_an_entry_is_found_by_its_task_or_its_operation() -> None:
    operation = AuditLog.write_operation("x", actor="a", reason="r", scope={}, task_ids=[7])
    AuditLog.write_operation("y", actor="a", reason="r", scope={}, task_ids=[70])
    of_task, all_of_it = AuditLog.objects.get(task_id=7), AuditLog.objects.filter(operation_id=operation)
    assert found(AuditLog, "7") == found(AuditLog, " 7 ") == [of_task.pk]
    for term in (str(operation), operation.hex, str(operation).upper()):
        assert set(found(AuditLog, term)) == set(all_of_it.values_list("pk", flat=True))


@pytest.mark.parametrize(
    "term",
    ["8", "x", "-7", "7.0", "٧", "9" * 30, str(uuid.UUID(int=1)), "' OR 1=1 --", "\x00", "%", "x" * 5_000],
)
def test_an_invalid_entry_id_finds_nothing(term: str) -> None:
    AuditLog.write_operation("x", actor="a", reason="r", scope={}, task_ids=[7])
    assert found(AuditLog, term) == []


def test_without_a_term_all_are_listed_the_newest_first(viewer: Client) -> None:
    for n in range(3):
        AuditLog.write_operation(str(n), actor="a", reason="r", scope={})
    rows = [row.pk for row in viewer.get(AUDIT).context["cl"].result_list]
    assert rows == sorted(found(AuditLog, ""), reverse=True)
    assert len(rows) == 3


@pytest.mark.parametrize(
    "metadata", ["{}", "[]", "null", "5", '"x"', '{"reason": null}', '{"reason": {"a": 1}}']
)
def test_whatever_plain_sql_wrote_the_list_and_the_entry_open(viewer: Client, metadata: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO embedding_audit_logs (category, message, metadata) VALUES ('by hand', 'x', %s::jsonb)",
            [metadata],
        )
    assert AuditLog.objects.get().metadata == json.loads(metadata)
    assert viewer.get(AUDIT).status_code == 200
    entry = reverse("admin:queueops_auditlog_change", args=[AuditLog.objects.get().pk])
    assert viewer.get(entry).status_code == 200


def test_a_reason_and_the_beginning_of_an_operation_are_shown(viewer: Client) -> None:
    operation = AuditLog.write_operation("done", actor="ada", reason="the key was\u202erenewed", scope={})
    page = viewer.get(AUDIT).content.decode()
    assert str(operation)[:8] in page
    assert "\u202e" not in page
    assert "the key was\\u202erenewed" in page


def test_a_number_is_found_by_its_exact_name() -> None:
    metric = Metric.objects.create(name="batch_seconds", value=1.5)
    Metric.objects.create(name="batch", value=1.5)
    assert found(Metric, "batch_seconds") == found(Metric, "batch_seconds\x00") == [metric.pk]
    for term in ("batch_second", "BATCH_SECONDS", "%"):
        assert found(Metric, term) == []
