"""An existing corpus comes into the queue: once, in batches, one at a time, and on from where it was interrupted."""

import os
import subprocess
import sys
from typing import Any

import pytest
from django.db.models.functions import Now

from articles.models import Article
from embeddings.models import ArticleEmbedding, Space
from queueops.engine import modes
from queueops.engine.enqueue import Reason, enqueue
from queueops.maintenance import drift
from queueops.models import AuditLog, Mode, Operation, Status, Task, Verb
from queueops.monitoring import article_status
from queueops.monitoring.article_filter import ArticleFilter
from queueops.operate import controls, operations
from queueops.operate.backfill import run
from queueops.operate.operations import OperationError
from tests.concurrently import together
from tests.paths import ROOT
from tests.queueops.cli_runner import embed_migrate, queue_admin
from tests.queueops.factories import make_space, make_tasks
from tests.queueops.operate.operations.test_runner import environment
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def space(db: None) -> Space:
    return make_space()


def make_corpus(count: int, *, first: int = 0, **fields: Any) -> list[Article]:
    """Articles without tasks or vectors."""
    return Article.objects.bulk_create(
        Article(slug=f"old-{first + n:03}", title=f"Old {n}", content=f"Text {n}.", **fields)
        for n in range(count)
    )


def embed(articles: list[Article], space: Space, *, is_behind: bool = False) -> None:
    """Gives them vectors of their present text, or of an earlier one."""
    ArticleEmbedding.objects.bulk_create(
        ArticleEmbedding(
            article=article, space=space, chunk_index=0, chunk_count=1, span=(0, 1), text_hash=b"t" * 16,
            source_version=1, source_hash=other_hash() if is_behind else article.content_hash, embedding=[1.0] * 8,
        )
        for article in articles
    )  # fmt: skip


def other_hash() -> str:
    return "0" * 32


def reasons() -> list[str]:
    return [task.reason for task in Task.objects.order_by("pk")]


def test_a_run_queues_what_is_missing_and_nothing_else(space: Space) -> None:
    embed(make_corpus(2), space)
    embed(make_corpus(1, first=10), space, is_behind=True)
    make_corpus(3, first=20)
    make_tasks(1, space)
    called = embed_migrate("run", "--yes", "--reason=we move", "--actor=ada", "--json")
    assert (called.code, called.json["total"], called.json["changed"]) == (0, 4, 4)
    queued = Task.objects.filter(metadata__reason="migration")
    assert queued.count() == 4
    assert {task.priority for task in queued} == {"low"}
    entry = AuditLog.objects.get(operation_id=called.json["operation"])
    assert (entry.actor, entry.message, entry.metadata["tasks"]) == ("ada", "tasks queued", 4)


def test_a_second_run_finds_nothing_left(space: Space) -> None:
    make_corpus(3)
    embed_migrate("--yes")
    called = embed_migrate("--yes")
    assert called.out == "Nothing to do: every matching article is embedded or queued.\n"
    assert Task.objects.count() == 3


def test_without_a_verb_it_runs() -> None:
    make_corpus(2)
    called = embed_migrate("--dry-run")
    assert "This would queue 2 articles with low priority. Nothing was changed." in called.out
    assert not Task.objects.exists()


def test_where_nobody_can_be_asked_it_wants_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    make_corpus(1)
    called = embed_migrate("run")
    assert called.code == 3
    assert "Not a terminal, so confirmation is not possible" in called.sentence
    assert not Operation.objects.exists()


def test_the_priority_and_the_size_of_a_batch_can_be_chosen() -> None:
    make_corpus(5)
    assert embed_migrate("--yes", "--priority=high", "--batch-size=2").code == 0
    assert set(Task.objects.values_list("priority", flat=True)) == {"high"}


def test_each_stage_queues_its_share_of_the_whole_until_all_is_queued() -> None:
    make_corpus(10)
    counts = [embed_migrate("--yes", "--stage=40%", "--json").json["changed"] for _ in range(4)]
    assert counts == [4, 4, 2, 0]


@pytest.mark.parametrize(
    "partly", [["--stage=40%"], ["--limit=4"], ["--filter=old-000"]], ids=["stage", "limit", "filter"]
)
def test_the_sweep_leaves_alone_what_a_stage_has_left(partly: list[str]) -> None:
    articles = make_corpus(10)
    said = embed_migrate("--yes", *partly).out
    assert "are left for the next run; the sweep will not queue them before that" in said
    queued = Task.objects.count()
    assert 0 < queued < 10
    assert drift.enqueue_drift() == 0
    left = Article.objects.filter(tasks=None)[0]
    assert article_status.explain(left)["why"] == (
        "Not found by meaning: a backfill left it for a later stage. To queue it: python manage.py embed_migrate run"
    )
    assert embed_migrate("--yes").code == 0
    assert Task.objects.count() == len(articles)
    assert Operation.objects.newest_stage() is None


def test_what_comes_after_a_stage_and_what_changes_is_still_found_by_the_sweep(space: Space) -> None:
    articles = make_corpus(4)
    embed_migrate("--yes", "--stage=50%")
    late = make_corpus(1, first=100)
    Task.objects.update(status="completed", outcome="embedded")
    assert drift.enqueue_drift() == 3
    drifted = Task.objects.filter(metadata__reason="drift").values_list("article_id", flat=True)
    assert set(drifted) == {articles[0].pk, articles[1].pk, late[0].pk}


def test_the_last_stage_leaves_nothing_to_wait(space: Space) -> None:
    make_corpus(4)
    embed_migrate("--yes", "--stage=50%")
    assert "no sweep" not in embed_migrate("--yes", "--stage=50%").out
    assert Operation.objects.newest_stage() is None


def test_what_a_stopped_run_has_left_waits_for_the_next(space: Space) -> None:
    make_corpus(4)
    with run.begun(ArticleFilter(), actor="ada", reason="all") as operation:
        assert Operation.objects.newest_stage() is None
        operations.stop(operation.pk, actor="bob")
    assert drift.enqueue_drift() == 0
    embed_migrate("--yes", "--only-failed")
    assert drift.enqueue_drift() == 0


def test_a_limit_queues_the_first_and_the_next_run_the_others() -> None:
    articles = make_corpus(5)
    embed_migrate("--yes", "--limit=2")
    assert set(Task.objects.values_list("article_id", flat=True)) == {articles[0].pk, articles[1].pk}
    assert embed_migrate("--yes", "--json").json["changed"] == 3


@pytest.mark.parametrize(
    ("filters", "slugs"),
    [
        (['--filter={"lang": "de"}'], ["old-000", "old-001"]),
        (["--filter=old-00"], ["old-000", "old-001"]),
        (["--filter=old-100"], ["old-100"]),
        (["--filter=old-", '--filter={"lang": "en"}'], ["old-100"]),
        (["--filter=old-%"], []),
    ],
)
def test_a_filter_says_which_articles(filters: list[str], slugs: list[str]) -> None:
    make_corpus(2, metadata={"lang": "de", "x": 1})
    make_corpus(1, first=100, metadata={"lang": "en"})
    embed_migrate("--yes", *filters)
    assert sorted(Task.objects.values_list("slug", flat=True)) == slugs


def test_only_what_failed_is_queued_again_where_that_is_asked(space: Space) -> None:
    make_corpus(1)
    [failed] = make_tasks(1, space, Status.FAILED)
    make_tasks(1, space, Status.CANCELLED)
    embed_migrate("--yes", "--only-failed")
    assert Task.objects.pending().get().article_id == failed.article_id


def test_what_was_given_up_is_left_out_of_a_plain_run_and_counted(space: Space) -> None:
    make_corpus(1)
    [failed, edited] = make_tasks(2, space, Status.FAILED)
    Task.objects.filter(pk=edited.pk).update(content_hash=other_hash())
    told = embed_migrate("analyze", "--json").json
    assert (told["total"], told["parked"], told["spaces"][0]["failed"]) == (2, 1, 1)
    called = embed_migrate("--yes")
    assert "Skipped: 1 article whose task failed. To queue them, add --only-failed." in called.out
    assert not Task.objects.live().filter(article=failed.article_id).exists()
    assert Task.objects.live().count() == 2
    again = embed_migrate("--yes", "--json").json
    assert (again["total"], again["parked"]) == (0, 1)
    assert embed_migrate("--yes", "--only-failed", "--json").json["changed"] == 1
    assert embed_migrate("analyze", "--json").json["spaces"][0]["failed"] == 0


def test_an_article_given_up_many_times_is_one_that_failed(space: Space) -> None:
    [task] = make_tasks(1, space, Status.FAILED)
    Task.objects.bulk_create(
        Task(
            article=task.article,
            slug=task.slug,
            space=space,
            status=Status.FAILED,
            outcome="failed",
            content_hash=task.content_hash,
            completed_at=Now(),
        )
        for _ in range(3)
    )
    assert embed_migrate("analyze", "--json").json["spaces"][0]["failed"] == 1


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--stage=0%"], "invalid share"),
        (["--stage=150"], "invalid share"),
        (["--filter={x"], "invalid JSON object"),
        (["--limit=many"], "invalid number"),
        (["--dry-run", "rollback"], "--dry-run before the verb: put it after rollback"),
        (["--filter=a", "--filter=b"], "too many --filter: give at most one for metadata and one for a slug"),
    ],
)
def test_words_that_mean_nothing_are_refused_in_a_sentence(words: list[str], part: str) -> None:
    make_corpus(1)
    called = embed_migrate(*words)
    assert called.code
    assert part in called.sentence
    assert not Task.objects.exists()


def test_an_edit_takes_over_what_a_migration_has_queued(space: Space) -> None:
    [article] = make_corpus(1)
    embed_migrate("--yes")
    article.content = "An edit."
    article.save()
    task = Task.objects.get()
    assert (task.reason, task.priority, task.metadata) == ("edit", "normal", {"reason": "edit"})
    enqueue([article.pk], Reason.DRIFT)
    assert Task.objects.get().reason == "edit"


def test_an_undo_cancels_what_a_migration_queued_and_can_be_undone() -> None:
    make_corpus(3)
    operation = embed_migrate("--yes", "--json").json["operation"]
    undone = queue_admin("undo", operation, "--yes", "--why=too soon", "--json").json
    assert (undone["total"], undone["changed"], undone["skipped"]) == (3, 3, 0)
    assert set(Task.objects.values_list("status", flat=True)) == {"cancelled"}
    again = queue_admin("undo", undone["operation"], "--yes", "--why=now it fits", "--json").json
    assert again["changed"] == 3
    assert Task.objects.pending().count() == 3


def test_the_list_of_operations_shows_a_migration() -> None:
    make_corpus(1)
    embed_migrate("--yes", "--filter=old-", "--reason=we move")
    out = queue_admin("operations").out
    assert "migrate" in out
    assert "slug old-…" in out


def interrupt(scope: ArticleFilter, after: int, *, batch_size: int = 2) -> Operation:
    """A run that ends as by Ctrl-C once so many articles are queued."""

    def stop(done: int, _: int) -> None:
        if done >= after:
            raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        run.begun(scope, actor="ada", reason="we move") as operation,
    ):
        operations.carry_out(operation, progress=stop, batch_size=batch_size)
    return Operation.objects.get(pk=operation.pk)


def test_a_run_goes_on_where_the_same_one_was_interrupted() -> None:
    make_corpus(6)
    interrupted = interrupt(ArticleFilter(), after=4)
    assert (interrupted.state, interrupted.changed, Task.objects.count()) == ("interrupted", 4, 4)
    called = embed_migrate("--yes", "--json")
    assert called.json["operation"] == str(interrupted.pk)
    assert (called.json["total"], called.json["changed"], Task.objects.count()) == (6, 6, 6)


def test_a_run_about_something_else_ends_the_one_that_was_interrupted() -> None:
    make_corpus(6)
    interrupted = interrupt(ArticleFilter(), after=4)
    called = embed_migrate("--yes", "--limit=1", "--json")
    assert called.json["changed"] == 1
    interrupted.refresh_from_db()
    assert (interrupted.state, interrupted.changed) == ("cancelled", 4)


@pytest.mark.django_db(transaction=True)
def test_a_second_run_is_refused_with_the_name_of_the_first() -> None:
    make_corpus(2)
    with run.begun(ArticleFilter(), actor="ada", reason="we move"):
        [refused] = together(1, lambda: embed_migrate("--yes", "--actor=bob"))
    assert refused.code == 3
    assert "another migration runs: by ada (embed_migrate, pid" in refused.sentence
    assert f"pid {os.getpid()} on " in refused.sentence
    assert "0 of 2 articles queued" in refused.sentence
    assert embed_migrate("--yes").code == 0


@pytest.mark.django_db(transaction=True)
def test_of_two_runs_that_begin_at_once_one_does_it_all() -> None:
    make_corpus(40)
    codes = sorted(called.code for called in together(2, lambda: embed_migrate("--yes", "--batch-size=4")))
    assert codes in ([0, 0], [0, 3])  # the second may come when the first is done
    assert Task.objects.count() == 40
    assert Operation.objects.filter(verb=Verb.MIGRATE, changed=40).count() == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_run_that_is_killed_between_batches_is_gone_on_with() -> None:
    make_corpus(120)
    process = subprocess.Popen(
        [sys.executable, ROOT / "manage.py", "embed_migrate", "--yes", "--batch-size=2"],
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: Operation.objects.filter(changed__gt=0).exists(), 60, "the first batch")
    finally:
        process.kill()
        process.wait()
    killed = Operation.objects.get()
    wait_until(lambda: killed.state == "interrupted", what="its session to end")
    killed.refresh_from_db()
    assert 0 < killed.changed < 120
    assert killed.changed == Task.objects.count()
    assert embed_migrate("--yes", "--json").json["operation"] == str(killed.pk)
    assert Task.objects.count() == 120


def test_in_another_mode_it_refuses_and_says_how_to_go_forward() -> None:
    make_corpus(1)
    controls.set_mode(Mode.SYNCHRONOUS, actor="ada", reason="a rollback")
    controls.pause(actor="ada", reason="a rollback")
    modes.forget()
    refused = embed_migrate("--yes")
    assert (refused.code, Task.objects.count()) == (3, 0)
    assert refused.sentence.startswith("the mode is synchronous, set by ada: a rollback; add --forward")
    assert "Note: the mode is synchronous" in embed_migrate("--dry-run").out
    assert embed_migrate("--yes", "--forward").code == 0
    modes.forget()
    assert (modes.current(), Task.objects.pending().count()) == (Mode.QUEUED, 1)
    assert not queue_admin("status", "--json").json["paused"]


def test_an_operation_that_is_attended_says_by_whom() -> None:
    make_corpus(1)
    with run.begun(ArticleFilter(), actor="ada", reason="x") as operation:
        assert f"pid {os.getpid()}" in (operation.attendant() or "")
    assert operation.attendant() is None


def test_a_run_without_a_reason_is_refused_by_the_core() -> None:
    with (
        pytest.raises(ValueError, match="give a reason"),
        run.begun(ArticleFilter(), actor="ada", reason=" "),
    ):
        pass
    assert not Operation.objects.exists()


def test_an_operation_cannot_be_resumed_beside_a_run() -> None:
    make_corpus(1)
    with run.begun(ArticleFilter(), actor="ada", reason="x") as operation:
        held = operation.pk
    assert operations.resume(held).changed == 1
    with pytest.raises(OperationError, match="nothing is left to resume"):
        operations.resume(held)
