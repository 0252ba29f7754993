"""A verdict, and the gravest of several."""

import pytest

from queueops.operate.checks.finding import CheckResult, Finding, fail, ok, warn, worst


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [([], "ok"), (["ok", "warn"], "warn"), (["warn", "fail", "ok"], "fail"), (["ok"], "ok")],
)
def test_the_gravest_verdict_counts(verdicts: list[str], answer: str) -> None:
    assert worst(Finding("c", CheckResult(verdict), "s") for verdict in verdicts) == answer


def test_what_is_well_needs_no_fix_and_what_is_not_has_one() -> None:
    assert (ok("a", "b").verdict, ok("a", "b").fix) == ("ok", "")
    assert (warn("a", "b", "c").verdict, warn("a", "b", "c").fix) == ("warn", "c")
    assert (fail("a", "b", "c").verdict, fail("a", "b", "c").detail) == ("fail", "b")
