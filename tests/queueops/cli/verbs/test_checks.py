"""The verbs of embed_check: what they print, and how they exit."""

import pytest

from tests.queueops.cli_runner import called
from tests.queueops.factories import make_space


@pytest.mark.django_db
def test_the_command_is_a_gate(provider, settings):
    settings.WEB_THREADS = settings.EMBEDDING_WORKER_THREADS = 2
    settings.EMBEDDING_PROVIDER, settings.EMBEDDING_MODEL, settings.EMBEDDING_DIMENSIONS = (
        "openai",
        "fake-embed",
        8,
    )
    make_space()
    gate = called("embed_check", "all")
    assert gate.code == 0, gate.out
    assert "warn  broker persistence: " in gate.out
    assert called("embed_check", "all", "--strict").code == 1
    told = called("embed_check", "all", "--json").json
    assert told["verdict"] == "warn"
    assert {"check", "verdict", "says", "fix"} == set(told["findings"][0])
    provider.config(rate_500=1)
    assert called("embed_check", "provider").code == 2
    assert called("embed_check", "all", "--strict").code == 2
