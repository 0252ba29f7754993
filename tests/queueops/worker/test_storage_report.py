"""While the database refuses a process's vectors, its worker's row, health, and each task's report show it."""

import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from embeddings.models import Space
from queueops.base.database_refusals import Blame, Refusal
from queueops.engine import storage_probe
from queueops.models import AuditLog, Worker
from queueops.monitoring import article_status, health, snapshot, task_report
from queueops.worker.storage_report import Report
from tests.queueops.factories import make_tasks, make_worker

pytestmark = pytest.mark.django_db
FULL = Refusal("53100", Blame.DATABASE, "could not extend file")
WORDS = "53100 disk full: could not extend file"


@pytest.fixture
def report() -> Report:
    return Report()


def messages() -> list[str]:
    return list(AuditLog.objects.order_by("id").values_list("message", flat=True))


def test_the_row_says_why_and_since_when_and_the_audit_log_when_it_began_and_ended(
    report: Report, worker: Worker
) -> None:
    storage_probe.refused(FULL)
    report.write(worker.pk)
    worker.refresh_from_db()
    assert worker.refusal == WORDS
    assert worker.refused_since is not None
    storage_probe.accepted()
    report.write(worker.pk)
    worker.refresh_from_db()
    assert Worker.objects.filter(refusal="", refused_since=None).exists()
    began, ended = messages()
    assert (
        began
        == f"the database does not accept vectors ({WORDS}): worker {worker.pk} keeps its vectors and stops claiming"
    )
    assert ended == f"the database accepts vectors again; worker {worker.pk} resumes (was: {WORDS})"


def test_an_unchanged_report_is_not_written_again(
    report: Report, worker: Worker, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        report.write(worker.pk)
    storage_probe.refused(FULL)
    report.write(worker.pk)
    with django_assert_num_queries(0):
        report.write(worker.pk)


def test_a_recreated_row_is_reported_again(report: Report, worker: Worker) -> None:
    storage_probe.refused(FULL)
    report.write(worker.pk)
    other = make_worker()
    report.write(other.pk)
    assert set(Worker.objects.values_list("refusal", flat=True)) == {WORDS}


def test_health_and_the_tasks_story_name_the_sqlstate_in_words(
    report: Report, space: Space, worker: Worker
) -> None:
    (waiting,), (held,) = make_tasks(1, space), make_tasks(1, space, "processing")
    storage_probe.refused(FULL)
    report.write(worker.pk)
    judged = health.judge(snapshot.take())
    assert (judged.condition, judged.sentence) == ("degraded", judged.reasons[0])
    assert f"The database has accepted no vectors for 0 s ({WORDS})" in judged.sentence
    assert WORDS in task_report.of(waiting.pk).why
    assert WORDS in task_report.of(held.pk).why
    assert WORDS in article_status.explain(waiting.article)["why"]
    assert WORDS in article_status.explain(held.article)["why"]


def test_of_a_worker_that_is_gone_nothing_is_believed(report: Report, worker: Worker) -> None:
    storage_probe.refused(FULL)
    report.write(worker.pk)
    Worker.objects.update(last_seen_at="2020-01-01T00:00Z")
    assert snapshot.take().refusal == ""
    assert article_status.blockers().storage == ""


def test_a_read_only_database_is_found_without_any_row(space: Space, worker: Worker) -> None:
    (task,) = make_tasks(1, space)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL transaction_read_only = on")
        assert health.judge(snapshot.take()).condition == "down"
        assert "read-only (25006)" in task_report.of(task.pk).why
        transaction.set_rollback(True)
