"""What every test may count on: a clean cache, and a process that remembers nothing of the test before."""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.nodeid import coerce_node_id
from django.conf import settings

from access import attempt_counts, token_cache, token_guard
from embeddings import recipes
from embeddings.indexing import provider_pace
from embeddings.providers import registry
from embeddings.search import serving
from embeddings.search.query_vector import held
from lib.redis_client import fast_client
from queueops.admission import recipe_guard
from queueops.api import health
from queueops.base import installed, shutdown
from queueops.engine import modes, settle_retry, storage_probe
from queueops.engine.table_lock_pause import locked_out
from queueops.engine.unsaved_vectors import unsaved
from queueops.models import refused_steps
from queueops.monitoring import article_status
from queueops.worker import drain, lost_task_trials
from tests.emptying import quickly_emptied
from tests.static_files import static_files_scanned_once


@pytest.fixture(scope="session", autouse=True)
def django_shortcuts() -> Iterator[None]:
    with quickly_emptied(), static_files_scanned_once():
        yield


@pytest.fixture(autouse=True)
def process_state() -> Iterator[None]:
    reset_process_state()
    yield
    reset_process_state()


started: list[str] = []
sys.addaudithook(lambda event, told: started.append(str(told[0])) if event == "subprocess.Popen" else None)


@pytest.fixture(autouse=True)
def no_process_in_fast_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    started.clear()
    yield
    assert not started or not request.node.get_closest_marker("fast"), "give this test the mark `process`"


def reset_process_state() -> None:
    installed.forget()
    modes.forget()
    article_status.forget()
    health.seen.forget()
    shutdown.clear()
    refused_steps.forget()
    storage_probe.brake.accepted()
    locked_out.forget()
    settle_retry.owed.take()
    unsaved.forget()
    drain.trial_size_of_lost.forget()
    lost_task_trials.trial_size.forget()
    registry.forget()
    recipes.forget()
    serving.forget()
    recipe_guard.forget()
    provider_pace.forget()
    token_cache.tokens.forget()
    token_guard.forget_all()
    attempt_counts.forget()


@pytest.fixture
def clean_cache() -> Iterator[None]:
    client = fast_client(settings.REDIS_URL)  # tests may name another one
    client.flushdb()
    held.forget()
    yield
    client.flushdb()
    held.forget()


NOT_FAST = {"slow", "process", "django_db"}
NEEDS_MORE = {"db", "provider_process", "wide_provider_process", "on_socket", "on_port"}
WITHOUT_SLOW = ("fast", "not slow")


def pytest_itemcollected(item: pytest.Item) -> None:
    """What is fast follows from what a test asks for, so that no list of fast tests can grow old."""
    asks_for = set(getattr(item, "fixturenames", ()))
    marks = {mark.name for mark in item.iter_markers()}
    if not asks_for & NEEDS_MORE and not marks & NOT_FAST:
        item.add_marker("fast")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file of slow tests is not read where none of them runs: to make the API's requests takes seconds."""
    if collection_path.suffix != ".py" or config.option.markexpr not in WITHOUT_SLOW:
        return None
    return "\npytestmark = pytest.mark.slow\n" in collection_path.read_text() or None


def pytest_collection_finish() -> None:
    """What is there by now stays to the end: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)  # after pytest-django, which puts tests without a database last
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that schemathesis makes of one function get an id each: of those with the same, only one would run.

    Slow files come first, so that no process begins one when all others have ended."""
    for item in items:
        if hasattr(item, "operation_label") and item.parent:
            item._id = coerce_node_id(f"{item.parent.nodeid}::{item.name}")
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    ids = [item.nodeid for item in items]
    assert len(set(ids)) == len(ids), f"tests share an id: {sorted(i for i in set(ids) if ids.count(i) > 1)}"
