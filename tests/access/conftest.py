"""What tests of signing in start from."""

import pytest

from tests.access.people import QUICK, CountingHasher


@pytest.fixture
def doors(settings, clean_cache):
    """No attempt was made yet, and hashes are quick and counted."""
    settings.PASSWORD_HASHERS = QUICK
    CountingHasher.computed = 0
    return CountingHasher
