"""Each invariant can be broken and is then reported alone; what the queue itself leaves breaks none."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models.functions import Now
from pytest_django import Settings

from articles.models import Article
from embeddings.models import ArticleEmbedding, Space
from queueops.engine import claims, execution
from queueops.maintenance import reaper, sweep
from queueops.models import AuditLog, Status, Task, Worker
from queueops.monitoring import invariant_check, invariants
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import operations
from tests.providers import FakeProvider
from tests.queueops.cli_runner import Called, called
from tests.queueops.factories import make_article, make_tasks

pytestmark = pytest.mark.django_db
breaks = pytest.mark.impossible_rows("breaks an invariant to see it reported")
WHO: Any = {"actor": "ada", "reason": "a drill"}
LONG = "A paragraph of its own, of some length. " * 40


def sql(statement: str, *arguments: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement, arguments or None)


def switch_triggers_off() -> None:
    for trigger in ("tidy", "tell"):
        sql(f"ALTER TABLE embedding_tasks DISABLE TRIGGER embedding_tasks_{trigger}")


def found(at_rest: bool = False) -> list[str]:
    return [breach.invariant.name for breach in invariant_check.broken(at_rest)]


@pytest.fixture
def drain(space: Space, worker: Worker) -> Callable[..., None]:
    """Claims and executes until nothing is due."""

    def run() -> None:
        while (claim := claims.claim_due(space, 100, worker.pk, worker.name)).tasks:
            execution.execute(claim)

    return run


@pytest.fixture
def at_rest(drain: Callable[..., None]) -> None:
    """An embedded article, a long one, an empty one, and a parked one."""
    make_article("Short")
    make_article("Long", LONG)
    make_article("Empty", "  ")
    drain()
    operations.cancel(TaskFilter(article=make_article("Parked").pk), **WHO)


SET = "UPDATE embedding_tasks SET"
FIRST_CHUNK = "chunk_index = 0 AND chunk_count > 1"
# Triggers are off in these statements, as after a restore without them, so that the rows stay as they are written.
BREAKS = [
    (
        "task_is_one",
        "ALTER TABLE embedding_tasks DROP CONSTRAINT embedding_tasks_pkey;"
        "INSERT INTO embedding_tasks (id, article_id, space_id, status, outcome, completed_at)"
        " SELECT id, article_id, space_id, status, outcome, completed_at FROM embedding_tasks LIMIT 1",
    ),
    (
        "processing_is_leased",
        f"{SET} status = 'processing', completed_at = NULL, outcome = '', claimed_by = 'x' WHERE status = 'completed'",
    ),
    ("only_processing_is_leased", f"{SET} claim_token = gen_random_uuid()"),
    ("only_processing_is_leased", f"{SET} lease_expires_at = now()"),
    (
        "turn_comes",
        f"{SET} status = 'pending', outcome = '', completed_at = NULL, attempts = 0,"
        " scheduled_at = now() + interval '2 years' WHERE status = 'completed'",
    ),
    (
        "turn_comes",
        f"{SET} status = 'processing', outcome = '', completed_at = NULL, attempts = 1, claimed_by = 'x',"
        " claim_token = gen_random_uuid(), lease_expires_at = now() + interval '2 years' WHERE status = 'completed'",
    ),
    (
        "one_pending",
        "DROP INDEX embedding_tasks_one_pending;"
        "INSERT INTO embedding_tasks (article_id, space_id)"
        " SELECT article_id, space_id FROM embedding_tasks, generate_series(1, 2)",
    ),
    ("attempts_are_counted", f"{SET} attempts = max_attempts + 1"),
    (
        "attempts_are_counted",
        f"{SET} status = 'pending', outcome = '', completed_at = NULL, attempts = max_attempts"
        " WHERE status = 'completed'",
    ),
    (
        "attempts_are_counted",
        f"{SET} status = 'processing', outcome = '', completed_at = NULL, attempts = 0, claimed_by = 'x',"
        " claim_token = gen_random_uuid(), lease_expires_at = now() WHERE status = 'completed'",
    ),
    ("outcome_fits_status", f"{SET} completed_at = NULL WHERE status = 'completed'"),
    ("outcome_fits_status", f"{SET} outcome = '' WHERE status = 'completed'"),
    ("outcome_fits_status", f"{SET} outcome = 'failed' WHERE status = 'completed'"),
    ("outcome_fits_status", f"{SET} status = 'failed' WHERE outcome = 'embedded'"),
    ("outcome_fits_status", f"{SET} status = 'pending', outcome = '' WHERE status = 'completed'"),
    ("parked_until_requeued", f"{SET} status = 'completed', outcome = 'embedded' WHERE status = 'cancelled'"),
    ("operation_is_counted", "UPDATE embedding_operations SET changed = changed + 1, total = total + 1"),
    ("operation_is_counted", "UPDATE embedding_operations SET skipped = skipped + 1"),
    ("audit_is_append_only", "ALTER TABLE embedding_audit_logs DISABLE TRIGGER embedding_audit_logs_append_only"),
    ("audit_is_append_only", "DROP TRIGGER embedding_audit_logs_append_only ON embedding_audit_logs"),
    ("chunks_are_complete", f"DELETE FROM article_embeddings WHERE {FIRST_CHUNK}"),
    ("chunks_are_complete", "DELETE FROM article_embeddings WHERE chunk_index > 0 AND chunk_index = chunk_count - 1"),
    ("chunks_are_complete", f"UPDATE article_embeddings SET chunk_count = 9 WHERE {FIRST_CHUNK}"),
    ("chunks_are_complete", "UPDATE article_embeddings SET chunk_index = 1 WHERE chunk_count = 1"),
    ("chunks_are_complete", f"UPDATE article_embeddings SET source_version = 7 WHERE {FIRST_CHUNK}"),
    ("chunks_are_complete", f"UPDATE article_embeddings SET source_hash = gen_random_uuid() WHERE {FIRST_CHUNK}"),
    (
        "kept_vector_fits_its_space",
        "INSERT INTO kept_vectors (article_id, space_id, text_hash, embedding, chunks_to_embed)"
        " SELECT article_id, space_id, text_hash, 'too short', 1 FROM article_embeddings ON CONFLICT DO NOTHING",
    ),
    ("vector_fits_its_space", "UPDATE article_embeddings SET embedding = '[1,2,3]' WHERE embedding IS NOT NULL"),
    ("vector_means_something", "UPDATE article_embeddings SET embedding = NULL"),
    ("vector_means_something", "UPDATE article_embeddings SET embedding = '[0,0,0,0,0,0,0,0]' WHERE chunk_count = 1"),
    ("vector_means_something", "UPDATE article_embeddings SET embedding = '[1,0,0,0,0,0,0,0]' WHERE chunk_count = 0"),
    (
        "empty_is_blank",
        "UPDATE articles SET content = 'Not blank.' WHERE title = 'Empty';"
        "UPDATE article_embeddings e SET source_hash = a.content_hash FROM articles a"
        " WHERE a.id = e.article_id AND a.title = 'Empty'",
    ),
]  # fmt: skip


@breaks
@pytest.mark.parametrize(("name", "statement"), BREAKS)
def test_each_violation_is_reported_and_nothing_else(at_rest: None, name: str, statement: str) -> None:
    switch_triggers_off()
    assert found() == []
    sql(statement)
    assert found() == [name]


@breaks
@pytest.mark.parametrize(
    ("table", "name"),
    [("embedding_tasks", "task_has_its_article"), ("article_embeddings", "vector_has_its_article")],
)
@pytest.mark.parametrize("gone", ["article", "space"])
def test_rows_whose_article_or_space_is_gone_are_reported(
    at_rest: None, table: str, name: str, gone: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = %s::regclass", [table]
        )
        for (constraint,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
    sql(
        f"UPDATE {table} SET {gone}_id = 0 WHERE article_id = (SELECT id FROM articles WHERE title = 'Short')"
    )
    assert found() == [name]


def test_a_text_that_changed_without_a_task_is_reported_at_rest_only(at_rest: None) -> None:
    sql("UPDATE articles SET content = 'By hand.' WHERE title = 'Short'")
    assert found() == []
    (breach,) = invariant_check.broken(at_rest=True)
    assert breach.invariant.name == "every_text_is_embedded_or_parked"
    assert [row["slug"] for row in breach.rows] == ["short"]


def test_a_vector_that_is_kept_for_no_task_is_reported_at_rest_only(at_rest: None, space: Space) -> None:
    sql(
        "INSERT INTO kept_vectors (article_id, space_id, text_hash, embedding, chunks_to_embed, kept_at)"
        " SELECT article_id, space_id, text_hash, vector_send(embedding), 1, now() - interval '2 hours'"
        " FROM article_embeddings WHERE embedding IS NOT NULL AND chunk_index = 0"
    )
    assert found() == []
    assert set(found(at_rest=True)) == {"kept_vector_is_needed"}
    sweep.sweep()
    assert found(at_rest=True) == []


def test_a_pending_text_is_not_at_rest(space: Space) -> None:
    make_article()
    assert found() == []
    assert found(at_rest=True) == ["nothing_is_under_way"]


def test_a_pending_task_in_a_retired_space_is_not_at_rest(space: Space) -> None:
    make_article()
    type(space).objects.filter(pk=space.pk).update(state="retired")
    assert found(at_rest=True) == ["nothing_is_under_way"]
    sweep.sweep()
    assert found(at_rest=True) == []


@breaks
@pytest.mark.parametrize(("hours", "names"), [(0, []), (2, ["retired_is_empty"])])
def test_a_sweep_has_an_hour_to_end_what_waits_in_a_retired_space(
    space: Space, hours: int, names: list[str]
) -> None:
    make_tasks(1, space, created_at=Now() - timedelta(days=1))
    type(space).objects.update(state="retired", retired_at=Now() - timedelta(hours=hours))
    assert found() == names


@breaks
def test_when_a_space_was_retired_may_be_unknown(space: Space) -> None:
    make_tasks(1, space)
    type(space).objects.update(state="retired")
    assert found() == []
    Task.objects.update(created_at=Now() - timedelta(hours=2))
    assert found() == ["retired_is_empty"]


@breaks
def test_a_task_that_is_never_due_is_not_at_rest(space: Space) -> None:
    make_tasks(1, space)
    sql(f"{SET} scheduled_at = '9999-12-01'")
    assert found(at_rest=True) == ["turn_comes", "nothing_is_under_way"]


@breaks
@pytest.mark.parametrize("time", ["infinity", "-infinity", "10000-01-01", "0002-01-01 BC"])
def test_a_time_that_no_list_could_show_is_refused_in_plain_sql(space: Space, time: str) -> None:
    make_tasks(1, space)
    with pytest.raises(IntegrityError, match="times_of_years_1_to_9999"):
        sql(f"{SET} scheduled_at = '{time}'")


@breaks
def test_only_the_first_rows_are_fetched(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariant_check, "MOST_ROWS", 3)
    make_tasks(4, space, Status.COMPLETED, outcome="")
    (breach,) = invariant_check.broken(at_rest=False)
    assert (len(breach.rows), breach.is_cut, breach.count) == (3, True, "3 or more")


@breaks
@pytest.mark.parametrize("way", ["parked", "lost", "cancelled"])
def test_however_a_task_was_parked_its_going_on_is_noticed(
    space: Space, worker: Worker, provider: FakeProvider, settings: Settings, way: str
) -> None:
    settings.EMBEDDING_MAX_RETRIES = 1
    make_article()
    claim = claims.claim_due(space, 1, worker.pk, worker.name)
    if way == "parked":
        provider.config(fail_next=["500"])
        execution.execute(claim)
    elif way == "lost":
        Task.objects.update(lease_expires_at=Now() - timedelta(seconds=1), is_alone=True)
        reaper.return_expired()
    else:
        operations.cancel(TaskFilter(), **WHO)
    assert found() == []
    switch_triggers_off()
    sql(f"{SET} status = 'pending', completed_at = NULL, outcome = '', attempts = 0")
    assert found() == ["parked_until_requeued"]


def live(drain: Callable[..., None], provider: FakeProvider) -> None:
    """Save, edit, delete, fail, cancel and requeue, with a look at the rows in between."""
    edited, deleted, poisoned, cancelled = (
        make_article(name) for name in ("Edit", "Delete", "Bad", "Cancel")
    )
    make_article("Long", LONG)
    drain()
    edited.content, poisoned.content, cancelled.content = " ", "Holds POISON.", "Not to be embedded."
    for article in (edited, poisoned, cancelled):
        article.save()
    operations.cancel(TaskFilter(article=cancelled.pk), **WHO)
    deleted.delete()
    provider.config(poison="POISON")
    drain()
    assert Task.objects.failed().count() == 1
    assert found(at_rest=True) == []
    provider.config(poison="")
    operations.requeue(TaskFilter(), **WHO)
    assert found() == []
    drain()
    assert found(at_rest=True) == []
    assert set(ArticleEmbedding.objects.values_list("article", flat=True)) == set(
        Article.objects.values_list("pk", flat=True)
    )


def test_a_healthy_run_is_clean_at_rest(drain: Callable[..., None], provider: FakeProvider) -> None:
    live(drain, provider)


def test_the_queues_own_acts_never_need_to_be_tidied(
    drain: Callable[..., None], provider: FakeProvider
) -> None:
    """Their rows are whole, and told of, without the triggers: these are for hands, and cost the engine nothing."""
    switch_triggers_off()
    live(drain, provider)


def test_the_queues_own_changes_are_audited_once(drain: Callable[..., None], provider: FakeProvider) -> None:
    live(drain, provider)
    assert not AuditLog.objects.filter(metadata__reason="by plain SQL").exists()


@pytest.mark.parametrize(
    ("status", "statement", "attempts"),
    [
        ("pending", "SET status = 'failed', error_message = 'Cancelled by administrator'", 1),
        ("processing", "SET status = 'failed', completed_at = NOW() WHERE status = 'processing'", 3),
        ("processing", "SET status = 'pending', processed_at = NULL WHERE status = 'processing'", 0),
        ("processing", "SET status = 'cancelled'", 3),
        ("failed", "SET status = 'pending'", 0),
        ("cancelled", "SET status = 'pending', scheduled_at = NOW()", 0),
        ("completed", "SET status = 'pending'", 0),
    ],
)
def test_a_status_set_by_plain_sql_leaves_a_whole_row(
    space: Space, status: str, statement: str, attempts: int
) -> None:
    """And a task that is put back has its attempts again once they were spent."""
    (task,) = make_tasks(1, space, status, attempts=1 if status == "pending" else 3)
    sql(f"UPDATE embedding_tasks {statement}")
    assert found() == []
    task.refresh_from_db()
    assert (task.claim_token, task.lease_expires_at, task.attempts) == (None, None, attempts)


def test_plain_sql_that_begins_an_ended_task_again_is_written_down(space: Space) -> None:
    (task,) = make_tasks(1, space, Status.PENDING)
    operations.cancel(TaskFilter(), **WHO)
    sql("UPDATE embedding_tasks SET status = 'pending'")
    row = AuditLog.objects.order_by("-id")[0]
    assert (row.task_id, row.message, row.metadata["reason"]) == (task.pk, "tasks requeued", "by plain SQL")
    assert row.actor


# All that belongs to the status is said too: nothing is left to tidy.
WHOLE = {
    "pending": "completed_at = NULL, outcome = '', attempts = 0",
    "completed": "outcome = 'superseded'",
    "failed": "outcome = 'failed'",
    "cancelled": "outcome = ''",
}
ENDED = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)
TO_OTHERS = [(before, after) for before in ENDED for after in WHOLE if after != before]


@pytest.mark.parametrize(("before", "after"), TO_OTHERS)
def test_plain_sql_on_an_ended_task_is_written_down_though_it_leaves_a_whole_row(
    space: Space, before: Status, after: str
) -> None:
    (task,) = make_tasks(1, space, before)
    sql(f"UPDATE embedding_tasks SET status = %s, {WHOLE[after]}", after)
    row = AuditLog.objects.get(task_id=task.pk)
    assert row.message == f"tasks {'requeued' if after == 'pending' else after}"
    assert (row.metadata["before"], row.metadata["after"]) == ({"status": before}, {"status": after})
    assert row.actor


@pytest.mark.parametrize("after", ["pending", "completed"])
def test_a_parked_task_that_plain_sql_makes_go_on_breaks_nothing(space: Space, after: str) -> None:
    make_tasks(1, space)
    operations.cancel(TaskFilter(), **WHO)
    sql(f"UPDATE embedding_tasks SET status = %s, {WHOLE[after]}", after)
    assert found() == []


@breaks
def test_a_task_that_plain_sql_parked_again_is_not_to_go_on_unnoticed(space: Space) -> None:
    make_tasks(1, space, Status.COMPLETED)
    sql(f"UPDATE embedding_tasks SET status = 'failed', {WHOLE['failed']}")
    switch_triggers_off()
    sql(f"UPDATE embedding_tasks SET status = 'completed', {WHOLE['completed']}")
    assert found() == ["parked_until_requeued"]


def test_changes_by_plain_sql_in_an_operations_transaction_are_audited_too(space: Space) -> None:
    (task,) = make_tasks(1, space, Status.FAILED)
    with transaction.atomic():
        operations.requeue(TaskFilter(), **WHO)
        sql("UPDATE embedding_tasks SET status = 'cancelled'")
        sql(f"UPDATE embedding_tasks SET status = 'pending', {WHOLE['pending']}")
    told = AuditLog.objects.filter(task_id=task.pk, message="tasks requeued").order_by("id")
    assert [row.metadata["reason"] for row in told] == ["a drill", "by plain SQL"]


def test_the_snapshot_is_left_without_a_trace(space: Space) -> None:
    invariant_check.broken(at_rest=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('enable_indexscan'), current_setting('jit')")
        assert cursor.fetchone()[0] == "on"


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_one_snapshot_is_judged_that_nothing_can_write_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = "SELECT current_setting('transaction_isolation') AS how, current_setting('transaction_read_only') AS only"
    with monkeypatch.context() as patched:
        patched.setattr(invariant_check, "INVARIANTS", [invariants.Invariant("x", "", asked)])
        (breach,) = invariant_check.broken(at_rest=False)
    assert breach.rows == [{"how": "repeatable read", "only": "on"}]


# the command


def check(*options: str) -> Called:
    return called("embed_check", "invariants", *options)


def test_the_command_says_of_each_invariant_that_it_holds(at_rest: None) -> None:
    checked = check("--at-rest")
    assert checked.code == 0
    assert checked.out.splitlines() == [f"ok      {invariant.name}" for invariant in invariants.INVARIANTS]


@breaks
def test_the_command_shows_what_is_broken_and_exits_with_1(space: Space) -> None:
    (task,) = make_tasks(1, space, Status.COMPLETED, outcome="")
    checked = check()
    assert checked.code == 1
    (line,) = [line for line in checked.out.splitlines() if line.startswith("broken")]
    assert line.startswith("broken  outcome_fits_status: 1. A task's end does not match its status")
    assert f'"task": {task.pk}' in line


@breaks
def test_the_command_answers_in_json_for_machines(space: Space) -> None:
    (task,) = make_tasks(1, space, claim_token=uuid.uuid4())
    checked = check("--json")
    told = checked.json
    assert (checked.code, told["ok"]) == (1, False)
    (entry,) = [entry for entry in told["invariants"] if not entry["ok"]]
    assert (entry["name"], entry["rows"][0]["task"]) == ("only_processing_is_leased", task.pk)
    assert len(told["invariants"]) == len(invariant_check.asked(at_rest=False))


def test_a_database_that_does_not_answer_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(at_rest: bool) -> None:
        raise OperationalError("connection refused\nIs the server running?")

    monkeypatch.setattr("queueops.monitoring.invariant_check.broken", refuse)
    checked = check()
    assert (checked.code, checked.sentence) == (2, "the database does not answer: connection refused")
    monkeypatch.undo()


@pytest.mark.parametrize("invariant", invariants.INVARIANTS, ids=lambda invariant: invariant.name)
def test_no_invariant_reads_what_is_written_for_people(invariant: invariants.Invariant) -> None:
    """A sentence may be reworded; programs decide by the column `event`."""
    assert "message" not in invariant.sql.replace("error_message", "")
