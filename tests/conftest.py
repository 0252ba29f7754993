"""What every test may count on: a clean cache, and a process that remembers nothing of the test before."""

import pytest
from _pytest.nodeid import coerce_node_id
from django.conf import settings

from access import attempt_counts, recent, token_guard
from embeddings.indexing import provider_pace
from embeddings.providers import registry
from lib.redis_client import fast_client
from queueops.api import health
from queueops.base import installed, shutdown
from queueops.engine import modes, settle_retry, storage_probe
from queueops.engine.table_lock_pause import locked_out
from queueops.engine.unsaved_vectors import unsaved
from queueops.monitoring import article_status
from queueops.worker import drain, trials


@pytest.fixture(autouse=True)
def forgetful_process():
    forget_everything()
    yield
    forget_everything()


def forget_everything() -> None:
    installed.forget()
    modes.forget()
    article_status.forget()
    health.seen.forget()
    shutdown.begin()
    storage_probe.brake.accepted()
    locked_out.forget()
    settle_retry.owed.take()
    unsaved.forget()
    drain.trial_size_of_lost.forget()
    trials.trial_size.forget()
    registry.forget()
    provider_pace.forget()
    recent.tokens.forget()
    token_guard.forget_all()
    attempt_counts.forget()


@pytest.fixture
def clean_cache():
    client = fast_client(settings.REDIS_URL)  # tests may name another one
    client.flushdb()
    yield
    client.flushdb()


@pytest.hookimpl(trylast=True)  # after pytest-django, which puts tests without a database last
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that schemathesis makes of one function get an id each: of those with the same, only one would run.

    Files marked as long come first, so that no process begins one when all others have ended."""
    for item in items:
        if hasattr(item, "operation_label") and item.parent:
            item._id = coerce_node_id(f"{item.parent.nodeid}::{item.name}")
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    ids = [item.nodeid for item in items]
    assert len(set(ids)) == len(ids), f"tests share an id: {sorted(i for i in set(ids) if ids.count(i) > 1)}"
