"""The fault-injecting provider, clean for every test, a look at the invariants after it, and an ear for rings."""

from collections.abc import Iterator

import pytest
from django.db import transaction
from pytest_django import Settings

from embeddings.indexing import provider_pace
from embeddings.models import Space
from queueops.base.signals import tasks_ready
from queueops.models import Worker
from queueops.monitoring import invariant_check
from tests.providers import FakeProvider
from tests.queueops.factories import make_space, make_worker


@pytest.fixture(autouse=True)
def invariants_hold(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test leaves in the tables must be possible, unless the test is marked with `impossible_rows`."""
    names = {"db", "transactional_db"}
    if not request.node.get_closest_marker("django_db") and names.isdisjoint(request.fixturenames):
        yield
        return
    request.getfixturevalue("db")  # so that we look before it is rolled back
    yield
    if request.node.get_closest_marker("impossible_rows") is None:
        assert not [str(breach) for breach in invariant_check.broken(at_rest=False)]


@pytest.fixture(scope="session")
def provider_process() -> Iterator[FakeProvider]:
    with FakeProvider(dimensions=8) as provider:
        yield provider


@pytest.fixture
def provider(provider_process: FakeProvider, settings: Settings) -> Iterator[FakeProvider]:
    """A provider without faults that the settings point to."""
    provider_process.config(**NO_FAULTS)
    settings.OPENAI_BASE_URL = provider_process.url + "/v1"
    yield provider_process
    provider_process.config(**NO_FAULTS)


NO_FAULTS = {
    "latency_ms": 0,
    "per_text_ms": 0,
    "one_by_one": False,
    "rate_429": 0,
    "rate_500": 0,
    "rate_hang": 0,
    "poison": "",
    "poison_status": 400,
    "deadly": "",
    "deadly_tokens": 0,
    "fail_next": [],
    "max_inputs": 2_048,
    "max_tokens_per_request": 300_000,
    "max_tokens_per_text": 8_192,
    "refuse_fields": [],
    "refusal_status": 400,
    "string_input": False,
    "ignore_dimensions": False,
    "vague": False,
    "cut_too_long": False,
    "index": "number",
    "nested": False,
    "gzip": False,
    "api_version": "",
    "required_header": "",
    "error_200_elsewhere": False,
}


@pytest.fixture
def space(provider: FakeProvider) -> Space:
    return make_space()


@pytest.fixture(autouse=True)
def first_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first requests are as large as later ones, since nearly every test here is about something else."""
    monkeypatch.setattr(provider_pace, "FIRST_TOKENS", 2_048)


@pytest.fixture
def worker() -> Worker:
    return make_worker()


@pytest.fixture
def rings() -> Iterator[list[bool]]:
    """For each time that tasks were announced: whether that was inside a transaction."""
    heard: list[bool] = []
    tasks_ready.connect(
        lambda **_: heard.append(transaction.get_connection().in_atomic_block),
        weak=False,
        dispatch_uid="rings",
    )
    yield heard
    tasks_ready.disconnect(dispatch_uid="rings")
