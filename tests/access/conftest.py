"""What tests of signing in start from."""

import pytest
from pytest_django import Settings

from tests.access.people import QUICK, CountingHasher


@pytest.fixture
def fresh_attempts(settings: Settings, clean_cache: None) -> type[CountingHasher]:
    """No attempt was made yet, and hashes are quick and counted."""
    settings.PASSWORD_HASHERS = QUICK
    CountingHasher.computed = 0
    return CountingHasher
