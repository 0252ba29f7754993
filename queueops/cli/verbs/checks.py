"""The verbs of `manage.py embed_check`: what is wrong with this installation, and how to fix it."""

import json
from collections.abc import Callable, Iterable, Iterator

from django.conf import settings
from rich.text import Text

from queueops.cli.frame import arguments, keyboard
from queueops.cli.frame.console import Console, Encoder
from queueops.cli.frame.exit_codes import Exit
from queueops.cli.frame.tables import line
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.models.audit import tidy_reason
from queueops.monitoring import invariant_check
from queueops.monitoring.invariant_check import Breach
from queueops.monitoring.invariants import Invariant
from queueops.operate.checks import broker, compatibility, configuration, database, provider
from queueops.operate.checks.finding import CheckResult, Finding, worst

family = VerbGroup("Checks")

type Check = Callable[[], Iterable[Finding]]

# in the order of repair
CHECKS: dict[str, Check] = {
    "config": configuration.check,
    "database": database.check,
    "broker": broker.check,
    "provider": provider.check,
}
COLOURS = {CheckResult.OK: "green", CheckResult.WARN: "yellow", CheckResult.FAIL: "bold red"}
KEYS = ("verdict", "findings")
_ROWS_SHOWN = 3


def _gate_arguments(parser: Options) -> None:
    parser.add_argument("--strict", action="store_true", help="exit with 1 if there are warnings")


@family.verb("config", "every setting, and settings that conflict", arguments=_gate_arguments, keys=KEYS)
def config(console: Console, *, strict: bool) -> Exit:
    return report(console, configuration.check(), strict=strict)


@family.verb("database", "server, schema, sequences, connections", arguments=_gate_arguments, keys=KEYS)
def check_database(console: Console, *, strict: bool) -> Exit:
    return report(console, database.check(), strict=strict)


@family.verb(
    "broker", "whether it responds, and keeps what is written to it", arguments=_gate_arguments, keys=KEYS
)
def check_broker(console: Console, *, strict: bool) -> Exit:
    return report(console, broker.check(), strict=strict)


@family.verb("provider", "embed one text, as a worker does", arguments=_gate_arguments, keys=KEYS)
def check_provider(console: Console, *, strict: bool) -> Exit:
    return report(console, provider.check(), strict=strict)


@family.verb("all", "run all of these, for a deploy gate", arguments=_gate_arguments, keys=KEYS)
def check_all(console: Console, *, strict: bool) -> Exit:
    return report(console, (finding for check in CHECKS.values() for finding in check()), strict=strict)


def _compatibility_arguments(parser: Options) -> None:
    _gate_arguments(parser)
    parser.add_argument(
        "--url", default="", help="a running site on this database (default: the API in this process)"
    )
    parser.add_argument(
        "--token", default="", help="API token with the scopes read and write (default: AUTH_TOKEN)"
    )
    arguments.add_agreement(parser)
    arguments.add_reason(parser)


@family.verb(
    "compatibility",
    "whether articles and searches work in each mode; changes the mode for some seconds",
    arguments=_compatibility_arguments,
    keys=KEYS,
)
def check_compatibility(
    console: Console, *, strict: bool, url: str, token: str, yes: bool, dry_run: bool, reason: str
) -> Exit:
    reason = tidy_reason(reason) or compatibility.REASON
    change = (
        "create, change, find and delete a test article in each mode, which switches every process to each mode for a "
        "moment, and restore the mode"
    )
    if not console.agree(change, yes=yes, dry_run=dry_run):
        return report(console, [])
    with (
        keyboard.ending_in_order(),
        compatibility.as_it_was(console.actor, reason) as mark,
        compatibility.client(url, token or settings.AUTH_TOKEN) as api,
    ):
        found = compatibility.check(api, mark, actor=console.actor, is_remote=bool(url), reason=reason)
        return report(console, found, strict=strict)


def report(console: Console, findings: Iterable[Finding], *, strict: bool = False) -> Exit:
    """Prints each finding at once, with --json all of them at the end; returns the exit code."""
    found = []
    for finding in findings:
        found.append(finding)
        console.show(_line(finding))
    verdict = worst(found)
    console.print_result({"verdict": verdict, "findings": found})
    if verdict is CheckResult.FAIL:
        return Exit.TROUBLE
    return Exit.PARTLY if strict and verdict is CheckResult.WARN else Exit.OK


def _line(finding: Finding) -> Text:
    text = f"{finding.verdict:<6}{finding.check}: {finding.detail}"
    return line(f"{text}. {finding.fix}" if finding.fix else text, COLOURS[finding.verdict])


def _invariants_arguments(parser: Options) -> None:
    parser.add_argument(
        "--at-rest", action="store_true", help="no work is in progress: every text must be embedded or parked"
    )


@family.verb(
    "invariants",
    "check the invariants of tasks, vectors and audit log",
    arguments=_invariants_arguments,
    keys=("ok", "invariants"),
)
def check_invariants(console: Console, *, at_rest: bool) -> Exit:
    found = {breach.invariant.name: breach for breach in invariant_check.broken(at_rest)}
    asked = invariant_check.asked(at_rest)
    rows = [_as_dict(each, found.get(each.name)) for each in asked]
    console.print_result({"ok": not found, "invariants": rows}, *_lines(asked, found))
    return Exit.PARTLY if found else Exit.OK


def _lines(asked: list[Invariant], found: dict[str, Breach]) -> Iterator[Text]:
    for invariant in asked:
        if breach := found.get(invariant.name):
            rows = " ".join(json.dumps(row, cls=Encoder) for row in breach.rows[:_ROWS_SHOWN])
            yield line(f"broken  {invariant.name}: {breach.count}. {invariant.meaning} {rows}", "bold red")
        else:
            yield line(f"ok      {invariant.name}", "green")


def _as_dict(invariant: Invariant, breach: Breach | None) -> dict[str, object]:
    return {
        "name": invariant.name,
        "ok": breach is None,
        "meaning": invariant.meaning,
        "rows": breach.rows if breach else [],
        "more": bool(breach and breach.is_cut),
    }
