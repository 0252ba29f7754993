"""A migration is taken back: only what it queued, with the workers paused and saves embedding by themselves."""

import sys

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from articles.models import Article
from embeddings.models import Space
from queueops.engine import claims, execution, modes
from queueops.models import AuditLog, Mode, Operation, QueueState, Status, Task
from queueops.monitoring.article_filter import ArticleFilter
from queueops.operate.backfill import run
from tests.queueops.cli_runner import Terminal, embed_migrate
from tests.queueops.factories import make_article, make_tasks, make_worker
from tests.queueops.operate.backfill.test_run import make_corpus

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def corpus(space: Space) -> None:
    make_corpus(4)
    embed_migrate("--yes")


def test_a_rollback_cancels_what_the_migration_queued_and_only_that(space: Space) -> None:
    [by_hand] = make_tasks(1, space, metadata={"reason": "import"})
    edited = make_article()
    taken_over = Article.objects.get(slug="old-000")
    taken_over.content = "An edit."
    taken_over.save()
    called = embed_migrate("rollback", "--confirm", "--actor=ada", "--reason=too slow", "--json")
    assert (called.code, called.json["cancelled"], called.json["left"], called.json["verified"]) == (
        0,
        3,
        0,
        True,
    )
    pending = set(Task.objects.pending().values_list("article_id", flat=True))
    assert pending == {by_hand.article_id, edited.pk, taken_over.pk}
    state = QueueState.objects.get()
    assert (state.mode, state.is_paused, state.reason, state.changed_by) == (
        "synchronous", True, "too slow", "ada",
    )  # fmt: skip
    assert {row.metadata["reason"] for row in AuditLog.objects.filter(actor="ada")} == {"too slow"}


def test_what_a_worker_holds_is_taken_from_it(space: Space) -> None:
    worker = make_worker()
    claim = claims.claim_due(space, 2, worker.pk, worker.name)
    assert embed_migrate("rollback", "--confirm", "--json").json["cancelled"] == 4
    assert execution.execute(claim).lost == 2
    assert set(Task.objects.values_list("status", flat=True)) == {"cancelled"}


def test_a_save_embeds_in_its_request_afterwards(
    space: Space, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    embed_migrate("rollback", "--confirm")
    modes.forget()
    with django_capture_on_commit_callbacks(execute=True):
        article = make_article("Saved after the rollback")
    assert article.embeddings.count() == 1


def test_a_dry_run_says_what_would_be_done_and_does_nothing() -> None:
    called = embed_migrate("rollback", "--dry-run")
    assert called.out == (
        "This would pause the workers, cancel 4 tasks of the migration, and return to synchronous mode. "
        "Nothing was changed.\n"
    )
    told = embed_migrate("rollback", "--dry-run", "--json").json
    assert (told["waiting"], told["cancelled"], told["mode"], told["verified"]) == (4, 0, "queued", False)
    assert Task.objects.pending().count() == 4


def test_nobody_rolls_back_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    called = embed_migrate("rollback")
    assert (called.code, Task.objects.pending().count()) == (3, 4)
    assert "Add --yes" in called.sentence
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert embed_migrate("rollback").sentence == "nothing was changed"


def test_a_second_rollback_finds_nothing_to_do() -> None:
    embed_migrate("rollback", "--confirm")
    operations = Operation.objects.count()
    called = embed_migrate("rollback", "--confirm")
    assert called.out == (
        "Nothing to roll back: the mode is synchronous, the workers are paused, no task of the migration is left.\n"
    )
    assert Operation.objects.count() == operations


def test_a_rollback_can_be_rolled_forward_again(space: Space) -> None:
    embed_migrate("rollback", "--confirm")
    modes.forget()
    assert embed_migrate("--yes").code == 3
    called = embed_migrate("--yes", "--forward", "--json")
    assert (called.code, called.json["changed"], called.json["mode"]) == (0, 4, "queued")
    assert QueueState.objects.get().mode == ""  # the settings ask for it, and may say otherwise later
    modes.forget()
    assert modes.current() is Mode.QUEUED
    worker = make_worker()
    claim = claims.claim_due(space, 10, worker.pk, worker.name)
    assert execution.execute(claim).outcomes["embedded"] == 4


def test_a_migration_that_was_interrupted_is_ended_by_the_rollback() -> None:
    make_corpus(2, first=50)
    with run.begun(ArticleFilter(), actor="ada", reason="x") as operation:
        pass
    assert embed_migrate("rollback", "--confirm", "--json").json["verified"]
    operation.refresh_from_db()
    assert operation.state == "cancelled"


def test_who_has_disabled_embedding_keeps_it_disabled() -> None:
    QueueState.objects.update_or_create(pk=1, defaults={"mode": Mode.DISABLED})
    modes.forget()
    told = embed_migrate("rollback", "--confirm", "--json").json
    assert (told["mode"], told["verified"]) == ("disabled", True)


def test_an_ended_task_stays_as_it_is(space: Space) -> None:
    Task.objects.filter(article__slug="old-000").update(status=Status.FAILED, outcome="failed")
    Task.objects.filter(article__slug="old-000").update(completed_at="2026-01-01T00:00:00Z")
    assert embed_migrate("rollback", "--confirm", "--json").json["cancelled"] == 3
    assert Task.objects.failed().count() == 1
