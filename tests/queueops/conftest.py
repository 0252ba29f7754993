"""The fault-injecting provider, one process for the whole run, clean for every test."""

import pytest

from tests.providers import FakeProvider
from tests.queueops.making import make_space, make_worker


@pytest.fixture(scope="session")
def provider_process():
    with FakeProvider(dimensions=8) as provider:
        yield provider


@pytest.fixture
def provider(provider_process, settings):
    """A provider without faults that the settings point to."""
    provider_process.config(**NO_FAULTS)
    settings.OPENAI_BASE_URL = provider_process.url + "/v1"
    yield provider_process
    provider_process.config(**NO_FAULTS)


NO_FAULTS = {
    "latency_ms": 0,
    "rate_429": 0,
    "rate_500": 0,
    "rate_hang": 0,
    "poison": "",
    "fail_next": [],
}


@pytest.fixture
def space(provider):
    return make_space()


@pytest.fixture
def worker():
    return make_worker()
