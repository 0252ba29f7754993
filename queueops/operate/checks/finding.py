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
    """`detail` is what was found, `fix` what to do, as a sentence; empty if all is well."""

    check: str
    verdict: CheckResult
    detail: str
    fix: str = ""


def ok(check: str, detail: str) -> Finding:
    return Finding(check, CheckResult.OK, detail)


def warn(check: str, detail: str, fix: str) -> Finding:
    return Finding(check, CheckResult.WARN, detail, fix)


def fail(check: str, detail: str, fix: str) -> Finding:
    return Finding(check, CheckResult.FAIL, detail, fix)


def worst(findings: Iterable[Finding]) -> CheckResult:
    """The gravest verdict; ok where nothing was found."""
    verdicts = {finding.verdict for finding in findings}
    return next(
        (verdict for verdict in (CheckResult.FAIL, CheckResult.WARN) if verdict in verdicts), CheckResult.OK
    )
