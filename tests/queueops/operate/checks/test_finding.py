"""A verdict, and the gravest of several."""

import pytest

from queueops.operate.checks.finding import CheckResult, Finding, worst


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [([], "ok"), (["ok", "warn"], "warn"), (["warn", "fail", "ok"], "fail"), (["ok"], "ok")],
)
def test_the_gravest_verdict_counts(verdicts, answer):
    assert worst(Finding("c", CheckResult(verdict), "s") for verdict in verdicts) == answer
