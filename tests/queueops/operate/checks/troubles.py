"""What a check finds wrong."""

from collections.abc import Iterable

from django.db import connection

from queueops.operate.checks.finding import CheckResult, Finding


def troubles(findings: Iterable[Finding]) -> dict[str, Finding]:
    """What is not ok, by the check's name; each says what to do in a sentence."""
    found = {finding.check: finding for finding in findings if finding.verdict is not CheckResult.OK}
    assert all(finding.fix and finding.detail for finding in found.values())
    return found


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
