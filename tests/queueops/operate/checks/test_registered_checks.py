"""Checks that the site puts in are asked after one another, each once, and only when somebody asks."""

from collections.abc import Iterator

import pytest

from queueops.operate.checks import registered_checks
from queueops.operate.checks.finding import Finding, ok, warn


@pytest.fixture(autouse=True)
def no_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered_checks, "_checks", [])


def one() -> Iterator[Finding]:
    yield ok("one", "is well")
    yield warn("one", "is slow", "Wait.")


def two() -> list[Finding]:
    return [ok("two", "is well")]


def test_without_any_nothing_is_found() -> None:
    assert list(registered_checks.check()) == []


def test_each_is_asked_once_in_the_order_in_which_they_were_put_in() -> None:
    for check in (two, one, two):
        registered_checks.add(check)
    assert [finding.check for finding in registered_checks.check()] == ["two", "one", "one"]
    assert len(list(registered_checks.check())) == 3


def test_a_check_is_not_asked_before_its_turn() -> None:
    def fails() -> Iterator[Finding]:
        yield ok("fails", str(1 // 0))

    registered_checks.add(two)
    registered_checks.add(fails)
    found = registered_checks.check()
    assert next(found).check == "two"
    with pytest.raises(ZeroDivisionError):
        next(found)
