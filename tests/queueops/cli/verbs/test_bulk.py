"""The verbs that do something to many tasks: what they ask, tell, leave, and how they exit."""

import io
import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from embeddings.models import Space
from queueops.models import AuditLog, Operation, Status, Task
from tests.queueops.cli_runner import Terminal, queue_admin
from tests.queueops.factories import make_space, make_tasks

pytestmark = pytest.mark.django_db
YES = ("--yes", "--reason=a drill")
YES_CLEAR = ("--yes", "--why=a drill")
KEYS = {"operation", "verb", "state", "dry_run", "total", "changed", "skipped", "skips", "sample"}


@pytest.fixture
def space() -> Space:
    return make_space()


def statuses() -> list[str]:
    return sorted(Task.objects.values_list("status", flat=True))


VERBS = {
    ("retry", "--all"): ("failed", "pending"),
    ("cancel", "--all"): ("pending", "cancelled"),
    ("clear",): ("pending", "cancelled"),
    ("clear", "--status=failed"): ("failed", None),
}


@pytest.mark.parametrize(("words", "change"), VERBS.items())
def test_each_verb_says_what_it_did_and_how_to_take_it_back(
    space: Space, words: tuple[str, ...], change: tuple[str, str | None]
) -> None:
    before, after = change
    make_tasks(2, space, before)
    called = queue_admin(*words, *(YES_CLEAR if words[0] == "clear" else YES))
    operation = Operation.objects.get()
    assert called.code == 0
    assert called.out.startswith("2 tasks ")
    assert f"python manage.py queue_admin undo {operation.pk}" in called.out
    assert statuses() == ([after] * 2 if after else [])
    assert (operation.reason, operation.changed) == ("a drill", 2)
    assert queue_admin("undo", str(operation.pk), *YES).code == 0
    assert statuses() == [before] * 2


def test_priorities_are_changed_by_id(space: Space) -> None:
    first, other = make_tasks(2, space)
    called = queue_admin("prioritize", "high", str(first.pk), *YES, "--json")
    assert set(called.json) == KEYS
    assert (called.json["changed"], called.json["state"]) == (1, "done")
    assert dict(Task.objects.values_list("pk", "priority")) == {first.pk: "high", other.pk: "normal"}


def test_filters_are_taken_together(space: Space) -> None:
    make_tasks(2, space, Status.FAILED, error_class="auth", priority="low")
    make_tasks(1, space, Status.FAILED, error_class="transient", priority="high")
    make_tasks(1, space, Status.FAILED, created_at=Now() - timedelta(days=3))
    queue_admin("retry", "--error=auth", "--priority=low", "--newer-than=1d", *YES)
    assert statuses() == ["failed", "failed", "pending", "pending"]
    assert Operation.objects.get().scope == {
        "statuses": ["failed"], "error_class": "auth", "priority": "low", "newer_than": 86_400.0,
    }  # fmt: skip


@pytest.mark.parametrize("named", [lambda task: str(task.pk), lambda task: "--status=cancelled"])
def test_a_retry_takes_what_was_cancelled_only_when_that_is_named(
    space: Space, named: Callable[..., Any]
) -> None:
    make_tasks(1, space, Status.FAILED)
    [cancelled] = make_tasks(1, space, Status.CANCELLED)
    assert queue_admin("retry", "--all", *YES, "--json").json["changed"] == 1
    assert statuses() == ["cancelled", "pending"]
    assert queue_admin("retry", named(cancelled), *YES, "--json").json["changed"] == 1
    assert statuses() == ["pending", "pending"]


def test_the_references_way_to_clear_what_a_migration_queued(space: Space) -> None:
    make_tasks(1, space, metadata={"reason": "migration"})
    make_tasks(1, space, metadata={"reason": "edit"}, priority="high")
    queue_admin("clear", "--status", "pending", "--reason", "migration", "--confirm")
    assert dict(Task.objects.values_list("metadata__reason", "status")) == {
        "migration": "cancelled", "edit": "pending",
    }  # fmt: skip


@pytest.mark.parametrize("word", ["migratoin", "cleaning up"])
def test_in_clear_a_reason_that_is_not_a_task_reason_is_refused(space: Space, word: str) -> None:
    make_tasks(1, space)
    called = queue_admin("clear", "--reason", word, "--confirm")
    assert called.code == 3
    assert f"--reason '{word}' is ambiguous in clear: give --task-reason" in called.sentence
    assert statuses() == ["pending"]


def test_in_clear_a_reason_beside_a_task_reason_is_why(space: Space) -> None:
    make_tasks(1, space, metadata={"reason": "migration"})
    queue_admin("clear", "--task-reason=migration", "--reason=edit", "--confirm")
    assert (Operation.objects.get().reason, statuses()) == ("edit", ["cancelled"])
    called = queue_admin("clear", "--task-reason=migration", "--reason=a", "--why=b", "--confirm")
    assert (called.code, called.sentence[:35]) == (3, "--reason and --why are the same her")


def test_an_error_class_and_a_reason_that_plain_sql_wrote_are_known(space: Space) -> None:
    make_tasks(1, space, Status.FAILED, error_class="own", metadata={"reason": "by hand"})
    assert queue_admin("retry", "--error=own", "--task-reason=by hand", *YES).code == 0
    assert statuses() == ["pending"]


@pytest.mark.parametrize("words", [("failed", "--error=all"), ("list", "failed", "--error=all")])
def test_a_list_of_an_unknown_error_class_is_refused(words: tuple[str, ...]) -> None:
    called = queue_admin(*words)
    assert (called.code, called.sentence[:34]) == (3, "unknown error class 'all'; known: ")


def test_clearing_takes_what_waits_and_with_all_everything(space: Space) -> None:
    for status in Status:
        make_tasks(1, space, status)
    queue_admin("clear", "--confirm")
    assert statuses() == ["cancelled", "cancelled", "completed", "failed", "processing"]
    queue_admin("clear", "--all", "--confirm")
    # what was in work is cancelled, and what has been ended on purpose stays, so that nobody begins it again
    assert statuses() == ["cancelled", "cancelled", "cancelled", "failed"]


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_nothing_is_done_to_tasks_that_nobody_named(space: Space, verb: str) -> None:
    make_tasks(1, space)
    called = queue_admin(verb, *YES)
    assert (called.code, called.sentence) == (3, "no tasks selected: give ids, a filter or --all")
    called = queue_admin(verb, "--all", "--slug=x", *YES)
    assert (called.code, called.sentence[:25]) == (3, "--all selects every task:")
    assert statuses() == ["pending"]


@pytest.mark.parametrize("words", [("cancel", "--all"), ("prioritize", "low", "--all"), ("clear",)])
def test_without_a_yes_and_somebody_to_ask_nothing_is_done(space: Space, words: tuple[str, ...]) -> None:
    make_tasks(3, space)
    called = queue_admin(*words, "--why=x")
    assert called.code == 3
    assert "3 tasks" in called.sentence
    assert "Add --yes" in called.sentence
    assert not Operation.objects.exists()


@pytest.mark.parametrize(("answer", "after"), [("y\n", "cancelled"), ("\n", "pending")])
def test_on_a_terminal_a_person_is_asked(
    space: Space, monkeypatch: pytest.MonkeyPatch, answer: str, after: str
) -> None:
    make_tasks(3, space)
    asked, answers = Terminal(), Terminal(answer)
    monkeypatch.setattr("sys.stdin", answers)
    monkeypatch.setattr("sys.stderr", asked)
    queue_admin("cancel", "--all", "--reason=x")
    assert "This will cancel 3 tasks. Continue? [y/N]" in asked.getvalue()
    assert statuses() == [after] * 3


def test_without_a_reason_an_act_of_ours_is_refused(space: Space) -> None:
    make_tasks(1, space)
    called = queue_admin("cancel", "--all", "--yes")
    assert called.code == 3
    assert "give a reason" in called.sentence


@pytest.mark.parametrize(
    "words", [("retry", "--all"), ("cancel", "--all"), ("prioritize", "high", "--all"), ("clear", "--all")]
)
def test_a_dry_run_counts_shows_and_changes_nothing(space: Space, words: tuple[str, ...]) -> None:
    make_tasks(2, space)
    make_tasks(2, space, Status.FAILED)
    before = list(Task.objects.order_by("pk").values())
    called = queue_admin(*words, "--dry-run", "--json")
    assert called.json["dry_run"]
    assert called.json["total"] in {2, 4}
    assert len(called.json["sample"]) == called.json["total"]
    assert "Nothing was changed" in queue_admin(*words, "--dry-run").out
    assert list(Task.objects.order_by("pk").values()) == before
    assert not AuditLog.objects.exists()


def test_skipped_tasks_are_reported_by_reason_and_by_the_exit_code(space: Space) -> None:
    [task, _] = make_tasks(2, space, Status.FAILED)
    Task.objects.create(article=task.article, space=space)
    called = queue_admin("retry", "--all", *YES)
    assert called.code == 1
    assert "1 skipped: the article already has a task that waits" in called.out


def test_clearing_says_what_it_keeps_and_what_comes_back(space: Space) -> None:
    make_tasks(2, space, Status.FAILED)
    kept = queue_admin("clear", "--all", *YES_CLEAR)
    assert (kept.code, kept.out) == (
        1,
        "No task to clear.\n2 skipped: kept: it records that this text was ended on purpose\n",
    )
    removed = queue_admin("clear", "--status=failed", *YES_CLEAR)
    assert removed.code == 0
    assert "the sweep will create a new task for it" in removed.out


def test_a_look_at_an_undo_counts_what_can_be_put_back_now(space: Space) -> None:
    first, *_ = make_tasks(3, space)
    queue_admin("cancel", "--all", *YES)
    operation = str(Operation.objects.get().pk)
    queue_admin("retry", str(first.pk), *YES)
    look = queue_admin("undo", operation, "--dry-run")
    assert look.out.startswith("This would put back 2 tasks. Nothing was changed.")
    assert "1 skipped: it has changed since" in look.out
    assert queue_admin("undo", operation, "--dry-run", "--json").json["skips"] == {"it has changed since": 1}
    assert queue_admin("undo", operation, *YES).out.startswith("2 tasks put back")
    again = queue_admin("undo", operation, *YES)
    assert (again.code, again.out.splitlines()[0]) == (1, "No task to put back.")


def test_ids_that_cannot_be_acted_on_are_named_with_the_reason(space: Space) -> None:
    [done] = make_tasks(1, space, Status.COMPLETED)
    [waiting] = make_tasks(1, space)
    none = queue_admin("cancel", str(done.pk), *YES)
    only = "only pending or processing tasks can be"
    assert (none.code, none.out) == (
        3,
        f"No task to cancel.\n1 skipped: completed: {only} cancelled ({done.pk})\n",
    )
    some = queue_admin("prioritize", "high", str(waiting.pk), str(done.pk), "999999999", *YES)
    assert some.code == 1
    assert f"1 skipped: completed: {only} prioritized ({done.pk})" in some.out
    assert "1 skipped: there is no such task (999999999)" in some.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("cancel", "--status=failed"), "failed tasks cannot be cancelled: only pending"),
        (("retry", "--status=completed"), "completed tasks cannot be requeued: only failed"),
        (("cancel", "--space=99"), "unknown embedding space 99; known:"),
        (("retry", "--error=all"), "unknown error class 'all'; known: transient, rate_limited,"),
        (("cancel", "--task-reason=migratoin"), "unknown task reason 'migratoin'; known: edit, import,"),
    ],
)
def test_filters_that_no_task_can_fit_are_refused(
    space: Space, words: tuple[str, str], sentence: str
) -> None:
    called = queue_admin(*words, *YES)
    assert (called.code, called.sentence[: len(sentence)]) == (3, sentence)


@pytest.mark.parametrize(
    "words", [("--slug=a", "--slug=b"), ("--error=a", "--error=b"), ("--space=1", "--space=2")]
)
def test_a_filter_that_is_given_twice_is_refused(space: Space, words: tuple[str, str]) -> None:
    called = queue_admin("cancel", *words, *YES)
    assert called.code != 0
    assert "given twice, as" in called.sentence


def test_the_reason_is_asked_for_before_the_question(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tasks(1, space)
    asked = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    monkeypatch.setattr("sys.stderr", asked)
    called = queue_admin("cancel", "--all")
    assert (called.code, "give a reason" in called.sentence, asked.getvalue()) == (3, True, "")


def test_with_yes_it_says_on_standard_error_what_it_will_do(
    space: Space, capsys: pytest.CaptureFixture[str]
) -> None:
    make_tasks(2, space)
    called = queue_admin("cancel", "--all", *YES, "--json")
    assert called.json["changed"] == 2
    assert capsys.readouterr().err == "This will cancel 2 tasks.\n"


def test_where_there_is_nothing_to_do_nobody_is_asked(space: Space) -> None:
    called = queue_admin("cancel", "--all", "--reason=x")
    assert (called.code, called.out) == (0, "No task to cancel.\n")


def test_an_operation_that_cannot_be_undone_is_refused_in_a_sentence(space: Space) -> None:
    called = queue_admin("undo", str(uuid.uuid4()), *YES)
    assert (called.code, called.sentence[:21]) == (3, "there is no operation")
    paused = queue_admin("stop", "--json").json["operation"]
    assert "was not an operation on many tasks" in queue_admin("undo", paused, *YES).sentence


def test_an_interrupted_act_says_the_words_that_resume_it(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tasks(5, space)
    with monkeypatch.context() as patched:
        patched.setattr("queueops.cli.frame.console.Steps.set", interrupt)
        called = queue_admin("cancel", "--all", *YES, "--batch-size=2")
    operation = Operation.objects.get()
    words = f"operations resume {operation.pk}"
    assert (called.code, words in called.sentence) == (130, True)
    assert "interrupted after 2 of 5 tasks" in called.sentence
    assert queue_admin("operations", "--json").json["operations"][0]["state"] == "interrupted"
    assert queue_admin(*words.split()).code == 0
    assert statuses() == ["cancelled"] * 5
    assert "nothing is left to resume" in queue_admin(*words.split()).sentence


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("words", [("--older-than=2x",), ("--priority=urgent",), ("0",), ("--batch-size=0",)])
def test_options_that_mean_nothing_are_not_understood(space: Space, words: tuple[str]) -> None:
    called = queue_admin("cancel", *words, *YES)
    assert called.code != 0
    assert not Operation.objects.exists()


def test_with_json_one_line_is_printed_and_nothing_else(space: Space) -> None:
    make_tasks(1, space)
    out = io.StringIO()
    queue_admin("cancel", "--all", *YES, "--json", out=out)
    [line] = out.getvalue().splitlines()
    assert json.loads(line)["verb"] == "cancel"
