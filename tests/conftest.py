"""What every test may count on: a clean cache, and a process that remembers nothing of the test before."""

import pytest
from _pytest.nodeid import coerce_node_id
from django.core.cache import cache

from access import recent
from embeddings.providers import registry
from queueops import explain, installed, modes, views


@pytest.fixture(autouse=True)
def forgetful_process():
    installed.forget()
    modes.forget()
    explain.forget()
    views.held_condition.forget()
    registry.forget()
    recent.tokens.forget()
    yield
    installed.forget()
    modes.forget()
    explain.forget()
    views.held_condition.forget()
    registry.forget()
    recent.tokens.forget()


@pytest.fixture
def clean_cache():
    cache.clear()
    yield
    cache.clear()


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
