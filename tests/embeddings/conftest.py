"""The fault-injecting provider, one process for the whole run, clean for every test."""

import pytest

from tests.providers import FakeProvider
from tests.queueops.conftest import NO_FAULTS


@pytest.fixture(scope="session")
def wide_provider_process():
    """As wide as the words vectors need to tell texts apart."""
    with FakeProvider(dimensions=64) as provider:
        yield provider


@pytest.fixture
def provider(wide_provider_process, settings):
    wide_provider_process.config(**NO_FAULTS)
    settings.OPENAI_BASE_URL = wide_provider_process.url + "/v1"
    settings.OLLAMA_BASE_URL = wide_provider_process.url
    yield wide_provider_process
    wide_provider_process.config(**NO_FAULTS)
