"""The steps of a drill: each is walked, whatever came of the one before."""

import pytest

from queueops.operate.rollback import runner, scratch_database
from queueops.operate.rollback.step_result import Broken, Result


@pytest.mark.django_db
def test_nobody_walks_outside_a_scratch_database() -> None:
    with pytest.raises(RuntimeError, match="scratch database only"):
        next(runner.walk())


@pytest.mark.django_db
def test_a_step_that_is_broken_fails_and_the_next_is_walked_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def first() -> str:
        raise Broken("it did not hold")

    def second() -> str:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(scratch_database, "is_here", lambda: True)
    monkeypatch.setattr(runner, "STEPS", (first, second, lambda: "well"))
    assert [(step.result, step.detail) for step in runner.walk()] == [
        (Result.FAIL, "it did not hold"),
        (Result.FAIL, "ZeroDivisionError: a bug"),
        (Result.PASS, "well"),
    ]
