"""What one check found: well, worth a look, or broken; and then what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class CheckResult(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """`says` is what was found, `fix` a sentence that says what to do; empty where all is well."""

    check: str
    verdict: CheckResult
    says: str
    fix: str = ""


def ok(check: str, says: str) -> Finding:
    return Finding(check, CheckResult.OK, says)


def warn(check: str, says: str, fix: str) -> Finding:
    return Finding(check, CheckResult.WARN, says, fix)


def fail(check: str, says: str, fix: str) -> Finding:
    return Finding(check, CheckResult.FAIL, says, fix)


def worst(findings: Iterable[Finding]) -> CheckResult:
    """The gravest verdict; ok where nothing was found."""
    verdicts = {finding.verdict for finding in findings}
    return next(
        (verdict for verdict in (CheckResult.FAIL, CheckResult.WARN) if verdict in verdicts), CheckResult.OK
    )
