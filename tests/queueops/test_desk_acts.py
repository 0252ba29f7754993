"""The verbs that do something to many tasks: what they ask, tell, leave, and how they exit."""

import io
import json
import uuid
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from queueops import operations
from queueops.models import AuditLog, Operation, QueueState, Status, Task, Verb, Worker
from queueops.selection import Selection
from tests.queueops.calling import Terminal, queue_admin
from tests.queueops.making import make_space, make_tasks, make_worker

pytestmark = pytest.mark.django_db
YES = ("--yes", "--why=a drill")
KEYS = {"operation", "verb", "state", "dry_run", "total", "changed", "skipped", "skips", "sample"}


@pytest.fixture
def space():
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
def test_each_verb_says_what_it_did_and_how_to_take_it_back(space, words, change):
    before, after = change
    make_tasks(2, space, before)
    called = queue_admin(*words, *YES)
    operation = Operation.objects.get()
    assert called.code == 0
    assert called.out.startswith("2 tasks ")
    assert f"manage.py queue_admin undo {operation.pk}" in called.out
    assert statuses() == ([after] * 2 if after else [])
    assert (operation.reason, operation.changed) == ("a drill", 2)
    assert queue_admin("undo", str(operation.pk), *YES).code == 0
    assert statuses() == [before] * 2


def test_priorities_are_changed_by_id(space):
    first, other = make_tasks(2, space)
    called = queue_admin("prioritize", "high", str(first.pk), *YES, "--json")
    assert set(called.json) == KEYS
    assert (called.json["changed"], called.json["state"]) == (1, "done")
    assert dict(Task.objects.values_list("pk", "priority")) == {first.pk: "high", other.pk: "normal"}


def test_filters_are_taken_together(space):
    make_tasks(2, space, Status.FAILED, error_class="auth", priority="low")
    make_tasks(1, space, Status.FAILED, error_class="transient", priority="high")
    make_tasks(1, space, Status.FAILED, created_at=Now() - timedelta(days=3))
    queue_admin("retry", "--error=auth", "--priority=low", "--newer-than=1d", *YES)
    assert statuses() == ["failed", "failed", "pending", "pending"]
    assert Operation.objects.get().scope == {
        "statuses": ["failed"], "error_class": "auth", "priority": "low", "newer_than": 86_400.0,
    }  # fmt: skip


@pytest.mark.parametrize("named", [lambda task: str(task.pk), lambda task: "--status=cancelled"])
def test_a_retry_takes_what_was_cancelled_only_when_that_is_named(space, named):
    make_tasks(1, space, Status.FAILED)
    [cancelled] = make_tasks(1, space, Status.CANCELLED)
    assert queue_admin("retry", "--all", *YES, "--json").json["changed"] == 1
    assert statuses() == ["cancelled", "pending"]
    assert queue_admin("retry", named(cancelled), *YES, "--json").json["changed"] == 1
    assert statuses() == ["pending", "pending"]


def test_the_references_way_to_clear_what_a_migration_queued(space):
    make_tasks(1, space, metadata={"reason": "migration"})
    make_tasks(1, space, metadata={"reason": "edit"}, priority="high")
    queue_admin("clear", "--status", "pending", "--reason", "migration", "--confirm")
    assert dict(Task.objects.values_list("metadata__reason", "status")) == {
        "migration": "cancelled", "edit": "pending",
    }  # fmt: skip


def test_clearing_takes_what_waits_and_with_all_everything(space):
    for status in Status:
        make_tasks(1, space, status)
    queue_admin("clear", "--confirm")
    assert statuses() == ["cancelled", "cancelled", "completed", "failed", "processing"]
    queue_admin("clear", "--all", "--confirm")
    assert statuses() == ["cancelled"]  # what was in work, so that nobody begins it again


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_nothing_is_done_to_tasks_that_nobody_named(space, verb):
    make_tasks(1, space)
    called = queue_admin(verb, *YES)
    assert (called.code, called.sentence) == (3, "say which tasks: ids, a filter, or --all")
    called = queue_admin(verb, "--all", "--slug=x", *YES)
    assert (called.code, called.sentence[:28]) == (3, "--all means every task: leav")
    assert statuses() == ["pending"]


@pytest.mark.parametrize("words", [("cancel", "--all"), ("prioritize", "low", "--all"), ("clear",)])
def test_without_a_yes_and_somebody_to_ask_nothing_is_done(space, words):
    make_tasks(3, space)
    called = queue_admin(*words, "--why=x")
    assert called.code == 3
    assert "3 tasks" in called.sentence
    assert "add --yes" in called.sentence
    assert not Operation.objects.exists()


@pytest.mark.parametrize(("answer", "after"), [("y\n", "cancelled"), ("\n", "pending")])
def test_on_a_terminal_a_person_is_asked(space, monkeypatch, answer, after):
    make_tasks(3, space)
    asked, answers = Terminal(), Terminal(answer)
    monkeypatch.setattr("sys.stdin", answers)
    monkeypatch.setattr("sys.stderr", asked)
    queue_admin("cancel", "--all", "--why=x")
    assert "This will cancel 3 tasks. Go on? [y/N]" in asked.getvalue()
    assert statuses() == [after] * 3


def test_without_a_reason_an_act_of_ours_is_refused(space):
    make_tasks(1, space)
    called = queue_admin("cancel", "--all", "--yes")
    assert called.code == 3
    assert "give a reason" in called.sentence


@pytest.mark.parametrize(
    "words", [("retry", "--all"), ("cancel", "--all"), ("prioritize", "high", "--all"), ("clear", "--all")]
)
def test_a_dry_run_counts_shows_and_changes_nothing(space, words):
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


def test_what_could_not_be_done_is_told_by_reason_and_by_the_exit_code(space):
    [task, _] = make_tasks(2, space, Status.FAILED)
    Task.objects.create(article=task.article, space=space)
    called = queue_admin("retry", "--all", *YES)
    assert called.code == 1
    assert "1 not: the article already has a task that waits" in called.out


def test_where_there_is_nothing_to_do_nobody_is_asked(space):
    called = queue_admin("cancel", "--all", "--why=x")
    assert (called.code, called.out) == (0, "No task to cancel.\n")


def test_stuck_tasks_are_shown_and_reset(space):
    make_tasks(
        1, space, Status.PROCESSING, lease_expires_at=Now() - timedelta(minutes=5), claimed_by="worker 7"
    )
    make_tasks(1, space, Status.PROCESSING, priority="low")
    told = queue_admin("stuck", "--json").json
    assert (told["stuck"], told["tasks"][0]["claimed_by"]) == (1, "worker 7")
    assert "worker 7" in queue_admin("stuck").out
    assert queue_admin("reset-stuck", "--dry-run", "--json").json["total"] == 1
    assert queue_admin("reset-stuck").code == 0
    assert statuses() == ["pending", "processing"]
    assert queue_admin("stuck").out == "Nothing is stuck.\n"


def test_an_operation_that_cannot_be_undone_is_refused_in_a_sentence(space):
    called = queue_admin("undo", str(uuid.uuid4()), *YES)
    assert (called.code, called.sentence[:21]) == (3, "there is no operation")
    paused = queue_admin("stop", "--json").json["operation"]
    assert "was no act on many tasks" in queue_admin("undo", paused, *YES).sentence


def test_an_interrupted_act_says_the_words_that_resume_it(space, monkeypatch):
    make_tasks(5, space)
    with monkeypatch.context() as patched:
        patched.setattr("queueops.desk.frame.Steps.reach", interrupt)
        called = queue_admin("cancel", "--all", *YES, "--batch-size=2")
    operation = Operation.objects.get()
    words = f"operations resume {operation.pk}"
    assert (called.code, words in called.sentence) == (130, True)
    assert "interrupted after 2 of 5 tasks" in called.sentence
    assert queue_admin("operations", "--json").json["operations"][0]["state"] == "interrupted"
    assert queue_admin(*words.split()).code == 0
    assert statuses() == ["cancelled"] * 5
    assert "nothing is left to resume" in queue_admin(*words.split()).sentence


def interrupt(*_):
    raise KeyboardInterrupt


def test_operations_are_listed_and_one_is_stopped(space):
    make_tasks(2, space, Status.FAILED)
    assert queue_admin("operations").out == "No operations yet.\n"
    begun = operations.begin(Verb.REQUEUE, Selection(error_class="auth"), actor="ada", reason="a\nlook")
    shown = queue_admin("operations").out
    for word in ("requeue", "interrupted", "0 of 0", "ada", "error class auth", "a look"):
        assert word in shown
    [row] = queue_admin("operations", "stop", str(begun.pk), "--json").json["operations"]
    assert (row["id"], row["state"]) == (str(begun.pk), "cancelled")
    assert queue_admin("operations", "stop").sentence.startswith("say which operation to stop")
    assert "is cancelled already" in queue_admin("operations", "stop", str(begun.pk)).sentence


def test_the_brakes_of_the_reference_need_no_reason(space):
    make_worker()
    make_tasks(2, space, Status.PROCESSING)
    assert queue_admin("stop").out.startswith("stopped; what is under way ends as usual")
    assert (QueueState.objects.get().is_paused, Worker.objects.get().is_running) == (True, False)
    assert queue_admin("start").out.startswith("started")
    assert (QueueState.objects.get().is_paused, Worker.objects.get().is_running) == (False, True)
    told = queue_admin("emergency-stop", "--json", "--reason=it writes nonsense").json
    assert (told["workers"], told["released"]) == (1, 2)
    assert QueueState.objects.get().reason == "it writes nonsense"
    assert statuses() == ["pending", "pending"]


@pytest.mark.parametrize("words", [("--older-than=2x",), ("--priority=urgent",), ("0",), ("--batch-size=0",)])
def test_options_that_mean_nothing_are_not_understood(space, words):
    called = queue_admin("cancel", *words, *YES)
    assert called.code != 0
    assert not Operation.objects.exists()


def test_with_json_one_line_is_printed_and_nothing_else(space):
    make_tasks(1, space)
    out = io.StringIO()
    queue_admin("cancel", "--all", *YES, "--json", out=out)
    [line] = out.getvalue().splitlines()
    assert json.loads(line)["verb"] == "cancel"
