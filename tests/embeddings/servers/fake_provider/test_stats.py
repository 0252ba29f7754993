"""What the fake provider counts."""

import pytest

from embeddings.servers.fake_provider import stats as module
from embeddings.servers.fake_provider.stats import Stats


def test_texts_and_sizes_of_requests() -> None:
    stats = Stats()
    for texts in (["a", "b"], [], ["b"]):
        stats.arrived(texts)
    told = stats.as_dict()
    assert (told["texts"], told["max_batch"], told["distinct_texts"], told["sizes"]) == (3, 2, 2, [2, 0, 1])


def test_requests_under_way_outlive_a_reset() -> None:
    stats = Stats()
    stats.started()
    stats.started()
    stats.reset()
    assert (stats.requests, stats.in_flight, stats.max_in_flight) == (0, 2, 2)
    stats.in_flight -= 1
    stats.started()
    assert stats.max_in_flight == 2


def test_a_request_that_is_made_again_unchanged_is_noticed() -> None:
    stats = Stats()
    for texts in (["a", "b"], ["b", "a"], ["a", "b"], ["a", "b"], ["ab"]):
        stats.refused(texts)
    assert stats.refused_again == 2


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_DISTINCT", 3)
    stats = Stats()
    for n in range(5_000):
        stats.arrived([f"text {n}"])
        stats.refused([f"text {n}"])
    told = stats.as_dict()
    assert (told["distinct_texts"], told["texts"], len(told["sizes"])) == (3, 5_000, 1_000)
    assert len(stats._refused) == 3


def test_nothing_private_is_shown() -> None:
    assert not [name for name in Stats().as_dict() if name.startswith("_")]
