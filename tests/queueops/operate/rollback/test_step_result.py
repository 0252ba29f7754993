"""What a step of a drill expects, and the sentence where it does not hold."""

from typing import Any

import pytest

from queueops.operate.rollback.step_result import Broken, expect


@pytest.mark.parametrize("holds", [True, 1, [0], "x"])
def test_what_holds_is_passed_over(holds: int | str | list[int]) -> None:
    expect(holds, "it does not hold")


@pytest.mark.parametrize("holds", [False, 0, [], "", None])
def test_what_does_not_is_said(holds: str | int | list[Any] | None) -> None:
    with pytest.raises(Broken, match="it does not hold"):
        expect(holds, "it does not hold")
