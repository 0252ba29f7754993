"""What every test may count on: a clean cache, and a process that remembers nothing of the test before."""

import pytest
from django.core.cache import cache

from embeddings.providers import registry
from queueops import explain, installed, modes


@pytest.fixture(autouse=True)
def forgetful_process():
    installed.forget()
    modes.forget()
    explain.forget()
    registry.forget()
    yield
    installed.forget()
    modes.forget()
    explain.forget()
    registry.forget()


@pytest.fixture
def clean_cache():
    cache.clear()
    yield
    cache.clear()
