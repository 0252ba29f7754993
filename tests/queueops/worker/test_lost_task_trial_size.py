"""The number of lost tasks tried together grows with time and with successes."""

import pytest
from pytest_django import Settings

from queueops.worker.lost_task_trial_size import TrialSize


@pytest.fixture
def clock(settings: Settings) -> list[float]:
    settings.EMBEDDING_WORKER_TIMEOUT = 60_000
    return [0.0]


@pytest.fixture
def company(clock: list[float]) -> TrialSize:
    return TrialSize(1, now=lambda: clock[0])


def test_it_begins_small_however_much_goes_well_at_once(company: TrialSize) -> None:
    sizes = []
    for _ in range(5):
        sizes.append(company.size())
        company.note(1)
    assert sizes == [1] * 5


def test_it_doubles_with_each_tenth_of_a_lease(company: TrialSize, clock: list[float]) -> None:
    sizes = []
    for second in (0, 5.9, 6, 12, 18):
        clock[0] = second
        sizes.append(company.size())
        company.note(10)
    assert sizes == [1, 1, 2, 4, 8]


def test_it_never_grows_past_what_went_well(company: TrialSize, clock: list[float]) -> None:
    company.size()
    company.note(3)
    clock[0] = 59
    assert company.size() == 4


def test_it_starts_over_after_a_lease_without_success(company: TrialSize, clock: list[float]) -> None:
    company.size()
    company.note(100)
    clock[0] = 30
    assert company.size() == 32
    clock[0] = 61
    assert company.size() == 1
