"""The mode: persisted, stronger than the settings, seen by every process, and what each does to saves and searches."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from pytest_django import Settings

from articles.models import Article
from embeddings.models import Space
from embeddings.search import SearchMode, search
from lib.timed_cache import TimedCache
from queueops.engine import modes
from queueops.maintenance import sweep
from queueops.models import AuditLog, Mode, QueueState, Task, Worker
from queueops.models.audit import ReasonMissing
from queueops.operate import controls
from queueops.worker.drain import drain
from tests.concurrently import another_session
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_tasks, make_worker
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
GENEROUS = 20.0


def set_mode(mode: Mode | None) -> None:
    controls.set_mode(mode, actor="ada", reason="a test")
    modes.forget()


def work_until(condition: Callable[..., bool], worker: Worker) -> None:
    """Works as a worker does until the condition holds."""
    wait_until(lambda: drain(worker.pk, seconds=1) and condition(), GENEROUS)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_persisted_mode_is_stronger_than_the_settings_until_it_is_taken_back(
    mode: Mode, settings: Settings
) -> None:
    settings.SEMANTIC_SEARCH_ENABLED = mode is not Mode.DISABLED
    settings.EMBEDDING_QUEUE_ENABLED = mode is not Mode.QUEUED
    before = modes.of_settings()
    set_mode(mode)
    assert modes.current() is mode
    set_mode(None)
    assert modes.current() is before


def test_setting_the_mode_says_who_and_why_rings_and_is_an_operation(rings: list[bool]) -> None:
    operation = controls.set_mode(Mode.SYNCHRONOUS, actor="ada", reason="  no  Redis ")
    state = QueueState.objects.get()
    assert (state.mode, state.mode_changed_by, state.mode_reason) == ("synchronous", "ada", "no Redis")
    entry = AuditLog.objects.get(operation_id=operation)
    assert (entry.message, entry.actor) == ("mode set: synchronous", "ada")
    assert entry.metadata["scope"] == {"verb": "mode", "from": "environment", "to": "synchronous"}
    assert rings == [True]


def test_the_mode_needs_a_reason() -> None:
    with pytest.raises(ReasonMissing):
        controls.set_mode(Mode.DISABLED, actor="ada", reason=" ")
    assert QueueState.objects.get().mode == ""


def test_mode_and_pause_do_not_overwrite_one_anothers_reason() -> None:
    controls.pause(actor="bob", reason="an upgrade")
    set_mode(Mode.SYNCHRONOUS)
    state = QueueState.objects.get()
    assert (state.is_paused, state.changed_by, state.reason) == (True, "bob", "an upgrade")
    controls.resume(actor="bob")
    state.refresh_from_db()
    assert (state.mode, state.mode_changed_by, state.mode_reason) == ("synchronous", "ada", "a test")


def test_another_process_sees_a_change_within_a_second() -> None:
    assert modes.current() is Mode.QUEUED
    with another_session() as other:
        other.execute("UPDATE queue_state SET mode = 'disabled'")
        other.commit()
    changed = time.monotonic()
    wait_until(lambda: modes.current() is Mode.DISABLED, GENEROUS)
    assert time.monotonic() - changed < modes.SECONDS + 1  # a busy machine's second on top


def test_workers_work_off_in_synchronous_mode_what_was_left_behind(space: Space) -> None:
    make_tasks(3, space)
    set_mode(Mode.SYNCHRONOUS)
    assert drain(make_worker().pk, seconds=5).tasks == 3
    assert set(Task.objects.values_list("status", flat=True)) == {"completed"}


def test_disabled_embeds_nothing_makes_no_task_and_answers_by_words(
    space: Space, provider: FakeProvider
) -> None:
    set_mode(Mode.DISABLED)
    article = make_article("Aardvarks", "They eat ants at night.")
    reply = search("ants at night", mode=SearchMode.SEMANTIC)
    assert ([hit.slug for hit in reply.hits], reply.answered_by, reply.degraded) == (
        [article.slug], SearchMode.KEYWORD, True,
    )  # fmt: skip
    assert reply.reason == "search by meaning is switched off"
    assert (Task.objects.count(), article.embeddings.count()) == (0, 0)
    assert provider.stats()["requests"] == 0


def test_disabled_keeps_what_waits_and_its_workers_and_sweeps_begin_nothing(
    space: Space, provider: FakeProvider
) -> None:
    make_tasks(2, space)
    set_mode(Mode.DISABLED)
    Article.objects.bulk_create([Article(slug="unheard", title="Unheard", content="Of nobody.")])
    assert drain(make_worker().pk, seconds=5).tasks == 0
    sweep.sweep()
    assert list(Task.objects.values_list("status", flat=True)) == ["pending"] * 2
    assert provider.stats()["requests"] == 0


def test_a_worker_in_the_middle_of_its_slice_stops_when_the_mode_becomes_disabled(
    space: Space, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMBEDDING_BATCH_SIZE = 1
    monkeypatch.setattr(modes, "_row", TimedCache(modes._read, 0))
    make_tasks(3, space)

    def disable() -> None:
        QueueState.objects.update(mode=Mode.DISABLED)

    drained = drain(make_worker().pk, seconds=30, wake_another=disable)
    assert (drained.tasks, Task.objects.pending().count()) == (1, 2)


def test_articles_saved_while_disabled_are_found_by_the_sweep_afterwards(
    space: Space, settings: Settings
) -> None:
    settings.EMBEDDING_WORKER_INTERVAL = 100
    set_mode(Mode.DISABLED)
    article = make_article()
    set_mode(None)
    worker = make_worker()
    wait_until(
        lambda: sweep.sweep() and drain(worker.pk, seconds=1) and article.embeddings.exists(), GENEROUS
    )


def test_a_persisted_queue_searches_by_meaning_where_the_settings_switch_it_off(
    space: Space, settings: Settings
) -> None:
    settings.SEMANTIC_SEARCH_ENABLED = False
    set_mode(Mode.SYNCHRONOUS)
    make_article("Aardvarks", "They eat ants at night.")
    assert search("ants at night").answered_by is SearchMode.SEMANTIC


def test_threads_that_ask_at_once_all_see_a_mode_that_was_changed_long_ago() -> None:
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
