"""The verbs that explain one thing: a task's whole story, and why an article is not found."""

import pytest

from embeddings.models import Space
from queueops.models import AuditLog, QueueState, Status, Task
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate import operations
from tests.queueops.cli_runner import queue_admin
from tests.queueops.factories import make_article, make_space, make_tasks, make_worker
from tests.queueops.monitoring.test_snapshot import make_current

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def space() -> Space:
    make_worker()
    return make_space()


def test_the_story_of_a_task_has_its_article_vectors_and_audit_rows(space: Space) -> None:
    article = make_article("How to bake", "Flour and water.")
    make_current(article, space)
    (task,) = Task.objects.all()
    operations.cancel(TaskFilter(), actor="ada", reason="not needed")
    operations.requeue(TaskFilter(), actor="ada", reason="needed after all")
    told = queue_admin("debug", str(task.pk), "--json").json
    assert told["why"] == f"Task {task.pk} waits for a worker."
    assert (told["task"]["status"], told["task"]["reason"]) == ("pending", "edit")
    assert (told["article"]["slug"], told["article"]["version_number"]) == ("how-to-bake", 1)
    assert told["vectors"] == {
        "space": "openai/fake-embed v100", "state": "serving", "chunks": 1, "source_version": 1, "is_current": True,
    }  # fmt: skip
    assert [(entry["actor"], entry["reason"]) for entry in told["audit"]] == [
        ("ada", "not needed"), ("ada", "needed after all"),
    ]  # fmt: skip
    said = queue_admin("debug", str(task.pk)).out
    assert said.startswith(f"Task {task.pk} waits for a worker.\n")
    assert "needed after all" in said
    assert "1 chunk of version 1, current" in said


def test_the_story_names_other_tasks_of_the_article_and_what_holds_all_of_them(space: Space) -> None:
    (task,) = make_tasks(1, space, Status.FAILED)
    waiting = Task.objects.create(article_id=task.article_id, space=space, slug=task.slug)
    QueueState.objects.update(is_paused=True, reason="an upgrade")
    assert queue_admin("debug", str(task.pk), "--json").json["others"] == [waiting.pk]
    assert queue_admin("debug", str(waiting.pk), "--json").json["why"].endswith("is paused (an upgrade).")


def test_the_story_without_audit_rows_says_so(space: Space) -> None:
    (task,) = make_tasks(1, space)
    assert not AuditLog.objects.exists()
    assert "No entries in the audit log" in queue_admin("debug", str(task.pk)).out


def test_the_report_of_a_task_that_succeeded_shows_the_errors_of_earlier_attempts(space: Space) -> None:
    kept = {
        "attempt": 1,
        "at": "2026-11-22T18:00:00+00:00",
        "error_class": "transient",
        "error_message": "a 500",
    }
    (task,) = make_tasks(1, space, Status.COMPLETED, metadata={"failed_attempts": [kept]})
    (told,) = queue_admin("debug", str(task.pk), "--json").json["task"]["failed_attempts"]
    assert (told["attempt"], told["error_class"], told["error_message"]) == (1, "transient", "a 500")
    said = queue_admin("debug", str(task.pk)).out
    assert "2026-11-22 18:00:00" in said
    assert "a 500" in said


def test_a_task_that_is_not_there_is_refused_in_a_sentence() -> None:
    called = queue_admin("debug", "4711")
    assert (called.code, called.sentence) == (
        3, "task 4711 not found: it may have been removed, or its article deleted",
    )  # fmt: skip


@pytest.mark.parametrize("word", ["x", "-1", "0", "1.5", "٣", str(2**63)])
def test_an_id_that_cannot_be_one_is_refused_by_the_parser(word: str) -> None:
    assert queue_admin("debug", word).sentence.endswith(f"invalid id {word!r}: use a whole number above 0")


def test_explain_says_why_an_article_is_not_found(space: Space) -> None:
    make_article("How to bake", "Flour and water.")
    called = queue_admin("explain", "how-to-bake")
    assert called.out.startswith("Not found by meaning: task")
    assert "openai/fake-embed v100 (serving)" in called.out
    told = queue_admin("explain", "how-to-bake", "--json").json
    assert (told["slug"], told["spaces"][0]["state"]) == ("how-to-bake", "pending")


def test_an_article_that_is_not_there_is_refused_in_a_sentence() -> None:
    called = queue_admin("explain", "nope\x00")
    assert (called.code, called.sentence) == (3, "article 'nope\\x00' not found: give the slug of an article")


def test_without_a_space_nothing_can_be_found(space: Space) -> None:
    make_article("How to bake", "Flour and water.")
    type(space).objects.all().delete()
    assert queue_admin("explain", "how-to-bake").out == (
        "Not found by meaning: no embedding space serves searches yet.\n"
    )
