"""A Dramatiq worker's life becomes signals, in its order."""

from collections.abc import Iterator
from typing import Any

import pytest

from queueops.base import signals
from queueops.wakeups.middleware import WorkerLifecycle

LIFE = {
    "after_worker_boot": signals.worker_booted,
    "before_worker_shutdown": signals.worker_stopping,
    "after_worker_shutdown": signals.worker_stopped,
}


@pytest.fixture
def signals_sent() -> Iterator[list[Any]]:
    """The signals that were sent; nobody else hears them meanwhile."""
    sent: list[Any] = []
    kept = [(signal, signal.receivers) for signal in LIFE.values()]
    for signal in LIFE.values():
        signal.receivers = []
        signal.connect(lambda signal, sender, **_: sent.append((signal, sender)), weak=False)
    yield sent
    for signal, receivers in kept:
        signal.receivers = receivers
        signal.sender_receivers_cache.clear()


@pytest.mark.parametrize("moment", LIFE)
def test_each_moment_of_a_worker_is_announced_once_by_its_own_signal(
    signals_sent: list[Any], moment: str
) -> None:
    broker: Any = object()
    getattr(WorkerLifecycle(), moment)(broker, broker)
    assert signals_sent == [(LIFE[moment], WorkerLifecycle)]


def test_an_acknowledged_message_is_nobodys_business(signals_sent: list[Any]) -> None:
    nothing: Any = object()
    WorkerLifecycle().before_ack(nothing, nothing)
    assert signals_sent == []
