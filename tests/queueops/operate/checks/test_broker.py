"""Whether the broker answers, and what of it would lose wake-ups."""

from typing import Any

import pytest
from pytest_django import Settings

from queueops.operate.checks import broker
from tests.queueops.operate.checks.troubles import troubles


def test_a_broker_without_an_append_only_file_is_worth_a_warning() -> None:
    found = troubles(broker.check())
    assert set(found) == {"broker persistence"}
    assert "--appendonly yes" in found["broker persistence"].fix


def test_a_broker_that_does_not_answer_fails(settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    assert {name: f.detail for name, f in troubles(broker.check()).items()} == {"broker": "does not answer"}


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [({"aof_enabled": 1}, "ok"), ({"aof_enabled": 0}, "warn"), ({}, "warn")],
)
def test_a_broker_that_keeps_nothing_on_disk_is_worth_a_warning(facts: dict[str, int], verdict: str) -> None:
    assert broker._persistence(facts).verdict == verdict


@pytest.mark.parametrize(
    ("facts", "is_told"),
    [
        ({}, False),
        ({"maxmemory": 0, "maxmemory_policy": "allkeys-lru"}, False),
        ({"maxmemory": 1, "maxmemory_policy": "noeviction"}, False),
        ({"maxmemory": 1}, False),
        ({"maxmemory": 1, "maxmemory_policy": "allkeys-lru"}, True),
        ({"maxmemory": 1, "maxmemory_policy": "volatile-ttl"}, True),
    ],
)
def test_a_bounded_broker_that_throws_away_is_worth_a_warning(facts: dict[str, Any], is_told: bool) -> None:
    assert bool(list(broker._memory(facts))) is is_told


@pytest.mark.parametrize(("waiting", "verdict"), [(0, "ok"), (1_000, "ok"), (1_001, "warn"), (10**9, "warn")])
def test_more_wake_ups_than_a_burst_has_mean_that_nobody_takes_them(waiting: int, verdict: str) -> None:
    finding = broker._depth(waiting)
    assert finding.verdict == verdict
    assert f"{waiting:,}" in finding.detail
