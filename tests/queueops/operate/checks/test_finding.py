"""A verdict, and the gravest of several."""

import pytest

from queueops.operate.checks.finding import CheckResult, Finding, fail, ok, warn, worst


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [([], "ok"), (["ok", "warn"], "warn"), (["warn", "fail", "ok"], "fail"), (["ok"], "ok")],
)
def test_the_gravest_verdict_counts(verdicts: list[str], answer: str) -> None:
    assert worst(Finding("c", CheckResult(verdict), "s") for verdict in verdicts) == answer


def test_only_a_finding_that_is_not_ok_has_a_fix() -> None:
    assert (ok("a", "b").verdict, ok("a", "b").fix) == ("ok", "")
    assert (warn("a", "b", "c").verdict, warn("a", "b", "c").fix) == ("warn", "c")
    assert (fail("a", "b", "c").verdict, fail("a", "b", "c").detail) == ("fail", "b")
