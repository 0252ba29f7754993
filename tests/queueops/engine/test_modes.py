"""The mode: persisted, stronger than the settings, seen by every process, and what each does to saves and searches."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from articles.models import Article
from embeddings.providers import registry
from embeddings.search import SearchMode, search
from lib.remembered import Remembered
from queueops.engine import modes, synchronous
from queueops.maintenance import sweep
from queueops.models import AuditLog, Mode, ProviderState, QueueState, Task
from queueops.models.audit import ReasonMissing
from queueops.operate import controls
from queueops.worker.drain import drain
from tests.concurrently import another_session
from tests.queueops.cli_runner import queue_admin
from tests.queueops.factories import make_article, make_space, make_tasks, make_worker
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
GENEROUS = 20.0
_REFUSE_CLAIMS = """
CREATE FUNCTION refuse_claims() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no claims today'; END $$;
CREATE TRIGGER refuse_claims BEFORE UPDATE OF claim_token ON embedding_tasks
    FOR EACH ROW EXECUTE FUNCTION refuse_claims();
"""


def set_mode(mode: Mode | None) -> None:
    controls.set_mode(mode, actor="ada", reason="a test")
    modes.forget()


def work_until(condition, worker) -> None:
    """Works as a worker does until the condition holds."""
    wait_until(lambda: drain(worker.pk, seconds=1) and condition(), GENEROUS)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_persisted_mode_is_stronger_than_the_settings_until_it_is_taken_back(mode, settings):
    settings.SEMANTIC_SEARCH_ENABLED = mode is not Mode.DISABLED
    settings.EMBEDDING_QUEUE_ENABLED = mode is not Mode.QUEUED
    before = modes.of_settings()
    set_mode(mode)
    assert modes.current() is mode
    set_mode(None)
    assert modes.current() is before


def test_setting_the_mode_says_who_and_why_rings_and_is_an_operation(rings):
    operation = controls.set_mode(Mode.SYNCHRONOUS, actor="ada", reason="  no  Redis ")
    state = QueueState.objects.get()
    assert (state.mode, state.mode_changed_by, state.mode_reason) == ("synchronous", "ada", "no Redis")
    entry = AuditLog.objects.get(operation_id=operation)
    assert (entry.message, entry.actor) == ("mode set: synchronous", "ada")
    assert entry.metadata["scope"] == {"from": "environment", "to": "synchronous"}
    assert rings == [True]


def test_the_mode_needs_a_reason():
    with pytest.raises(ReasonMissing):
        controls.set_mode(Mode.DISABLED, actor="ada", reason=" ")
    assert QueueState.objects.get().mode == ""


def test_mode_and_pause_do_not_overwrite_one_anothers_reason():
    controls.pause(actor="bob", reason="an upgrade")
    set_mode(Mode.SYNCHRONOUS)
    state = QueueState.objects.get()
    assert (state.is_paused, state.changed_by, state.reason) == (True, "bob", "an upgrade")
    controls.resume(actor="bob")
    state.refresh_from_db()
    assert (state.mode, state.mode_changed_by, state.mode_reason) == ("synchronous", "ada", "a test")


def test_another_process_sees_a_change_within_a_second():
    assert modes.current() is Mode.QUEUED
    with another_session() as other:
        other.execute("UPDATE queue_state SET mode = 'disabled'")
        other.commit()
    changed = time.monotonic()
    wait_until(lambda: modes.current() is Mode.DISABLED, GENEROUS)
    assert time.monotonic() - changed < modes.SECONDS + 1  # a busy machine's second on top


def test_the_verb_shows_sets_and_takes_back_the_mode():
    make_space()
    assert queue_admin("mode").out.splitlines() == [
        "queued: a save makes a task, and workers embed it",
        "The settings ask for this.",
    ]
    called = queue_admin("mode", "synchronous", "--reason=no Redis", "--actor=ada", "--json")
    assert (called.json["mode"], called.json["is_persisted"], called.json["changed_by"]) == (
        "synchronous", True, "ada",
    )  # fmt: skip
    assert AuditLog.objects.filter(operation_id=called.json["operation"]).exists()
    shown = queue_admin("status").out
    assert "Mode: synchronous" in shown
    assert "The mode was changed to synchronous by ada: no Redis." in shown
    assert "Set by ada: no Redis. The settings ask for queued" in queue_admin("mode").out
    assert queue_admin("mode", "environment", "--reason=back", "--json").json["is_persisted"] is False
    assert queue_admin("mode", "disabled").code == 3


def test_in_synchronous_mode_a_save_is_found_before_it_answers_and_no_worker_is_needed(space):
    set_mode(Mode.SYNCHRONOUS)
    article = make_article("Aardvarks", "They eat ants at night.")
    task = Task.objects.get()
    assert (task.status, task.claimed_by) == ("completed", "request")
    assert [hit.slug for hit in search("who eats ants at night").hits] == [article.slug]


def test_workers_work_off_in_synchronous_mode_what_was_left_behind(space):
    make_tasks(3, space)
    set_mode(Mode.SYNCHRONOUS)
    assert drain(make_worker().pk, seconds=5).tasks == 3
    assert set(Task.objects.values_list("status", flat=True)) == {"completed"}


@pytest.mark.parametrize(
    ("trouble", "kind"), [("down", "provider_down"), ("slow", "transient"), ("broken", "transient")]
)
def test_a_provider_in_trouble_never_fails_a_synchronous_save_and_the_article_is_embedded_later(
    trouble, kind, space, provider, settings, monkeypatch
):
    settings.EMBEDDING_RETRY_BACKOFF_BASE = 1
    if trouble == "down":
        url, settings.OPENAI_BASE_URL = settings.OPENAI_BASE_URL, "http://127.0.0.1:9/v1"
    elif trouble == "slow":
        monkeypatch.setattr(synchronous, "DEADLINE_SECONDS", 0.2)
        provider.config(latency_ms=3_000)
    else:
        provider.config(rate_500=1)
    set_mode(Mode.SYNCHRONOUS)
    began = time.monotonic()
    article = make_article("Patient", "It waits for its provider.")
    assert time.monotonic() - began < 3  # the slow one was not waited for
    task = Task.objects.get()
    assert (task.status, task.error_class, article.embeddings.count()) == ("pending", kind, 0)
    if trouble == "down":
        settings.OPENAI_BASE_URL = url
    provider.config(latency_ms=0, rate_500=0)
    ProviderState.objects.all().delete()
    registry.forget()
    set_mode(Mode.QUEUED)
    work_until(article.embeddings.exists, make_worker())


def test_a_poisoned_text_is_saved_in_synchronous_mode_and_parked_with_its_reason(space, provider):
    provider.config(poison="toxic")
    set_mode(Mode.SYNCHRONOUS)
    poisoned = make_article("Bad", "A toxic text.")
    task = Task.objects.get()
    assert (task.status, task.error_class) == ("failed", "invalid_input")
    poisoned.content = "A harmless text."
    poisoned.save()
    assert poisoned.embeddings.exists()


def test_a_claim_that_the_database_refuses_never_fails_a_synchronous_save(space):
    set_mode(Mode.SYNCHRONOUS)
    with connection.cursor() as cursor:
        cursor.execute(_REFUSE_CLAIMS)
        article = make_article()
        cursor.execute("DROP FUNCTION refuse_claims CASCADE")
    assert Article.objects.filter(pk=article.pk).exists()
    assert Task.objects.get().status == "pending"


def test_disabled_embeds_nothing_makes_no_task_and_answers_by_words(space, provider):
    set_mode(Mode.DISABLED)
    article = make_article("Aardvarks", "They eat ants at night.")
    reply = search("ants at night", mode=SearchMode.SEMANTIC)
    assert ([hit.slug for hit in reply.hits], reply.answered_by, reply.degraded) == (
        [article.slug], SearchMode.KEYWORD, True,
    )  # fmt: skip
    assert reply.reason == "search by meaning is switched off"
    assert (Task.objects.count(), article.embeddings.count()) == (0, 0)
    assert provider.stats()["requests"] == 0


def test_disabled_keeps_what_waits_and_its_workers_and_sweeps_begin_nothing(space, provider):
    make_tasks(2, space)
    set_mode(Mode.DISABLED)
    Article.objects.bulk_create([Article(slug="unheard", title="Unheard", content="Of nobody.")])
    assert drain(make_worker().pk, seconds=5).tasks == 0
    sweep.sweep()
    assert list(Task.objects.values_list("status", flat=True)) == ["pending"] * 2
    assert provider.stats()["requests"] == 0


def test_a_worker_in_the_middle_of_its_slice_stops_when_the_mode_becomes_disabled(
    space, settings, monkeypatch
):
    settings.EMBEDDING_BATCH_SIZE = 1
    monkeypatch.setattr(modes, "_row", Remembered(modes._read, 0))
    make_tasks(3, space)

    def disable() -> None:
        QueueState.objects.update(mode=Mode.DISABLED)

    drained = drain(make_worker().pk, seconds=30, wake_another=disable)
    assert (drained.tasks, Task.objects.pending().count()) == (1, 2)


def test_what_was_saved_while_disabled_is_found_by_the_sweep_afterwards(space, settings):
    settings.EMBEDDING_WORKER_INTERVAL = 100
    set_mode(Mode.DISABLED)
    article = make_article()
    set_mode(None)
    worker = make_worker()
    wait_until(
        lambda: sweep.sweep() and drain(worker.pk, seconds=1) and article.embeddings.exists(), GENEROUS
    )


def test_a_persisted_queue_searches_by_meaning_where_the_settings_switch_it_off(space, settings):
    settings.SEMANTIC_SEARCH_ENABLED = False
    set_mode(Mode.SYNCHRONOUS)
    make_article("Aardvarks", "They eat ants at night.")
    assert search("ants at night").answered_by is SearchMode.SEMANTIC


def test_threads_that_ask_at_once_all_see_a_mode_that_was_changed_long_ago():
    """One of them reads the row; the others must not use its old value."""
    assert modes.current() is Mode.QUEUED
    QueueState.objects.filter(pk=1).update(mode=Mode.DISABLED)
    modes._row.keep(0)
    with ThreadPoolExecutor(8) as threads:
        begin = threading.Barrier(8)

        def ask() -> Mode:
            begin.wait(10)
            try:
                return modes.current()
            finally:
                connection.close()

        assert {asked.result(10) for asked in [threads.submit(ask) for _ in range(8)]} == {Mode.DISABLED}
