"""Whether the broker answers, and what of it would lose wake-ups."""

from queueops.operate.checks import broker
from tests.queueops.operate.checks.troubles import troubles


def test_a_broker_without_an_append_only_file_is_worth_a_warning():
    found = troubles(broker.check())
    assert set(found) == {"broker persistence"}
    assert "--appendonly yes" in found["broker persistence"].fix


def test_a_broker_that_does_not_answer_fails(settings):
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    assert {name: f.says for name, f in troubles(broker.check()).items()} == {"broker": "does not answer"}
