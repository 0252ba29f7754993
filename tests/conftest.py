"""What every test may count on: a clean cache, and a process that remembers nothing of the test before."""

import pytest
from django.core.cache import cache

from embeddings.providers import registry
from queueops import explain, modes


@pytest.fixture(autouse=True)
def forgetful_process():
    modes.forget()
    explain.forget()
    registry.forget()
    yield
    modes.forget()
    explain.forget()
    registry.forget()


@pytest.fixture
def clean_cache():
    cache.clear()
    yield
    cache.clear()
