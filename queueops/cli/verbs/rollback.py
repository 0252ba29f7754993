"""The verbs `rollback_plan`, which writes the plan, and `rollback_drill`, which runs it on a scratch database."""

import contextlib
import dataclasses
import json
from argparse import SUPPRESS

from rich.text import Text

from queueops.cli.frame import keyboard
from queueops.cli.frame.console import Console, Encoder
from queueops.cli.frame.exit_codes import Exit
from queueops.cli.frame.tables import line
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.operate.rollback import drill, plan, runner, scratch_database
from queueops.operate.rollback.step_result import Result, Step

planning = VerbGroup("Rollback plan")
drilling = VerbGroup("Rollback drill")

_COLOURS = {Result.PASS: "green", Result.SKIP: "yellow", Result.FAIL: "bold red"}


@planning.verb("rollback_plan", "write the rollback plan of this installation, as Markdown", keys=("plan",))
def write_plan(console: Console) -> None:
    written = plan.write()
    if console.as_json:
        console.print_result({"plan": written})
    else:
        console.stdout.write(written)


def _drill_arguments(parser: Options) -> None:
    parser.add_argument("--dry-run", action="store_true", help="print the steps; create nothing")
    parser.add_argument(drill.INSIDE, action="store_true", help=SUPPRESS)


@drilling.verb(
    "rollback_drill",
    "run every rollback on a scratch database",
    arguments=_drill_arguments,
    keys=("database", "dry_run", "passed", "steps"),
)
def walk_drill(console: Console, *, dry_run: bool, inside: bool) -> Exit:
    if inside:
        _print_steps(console)
        return Exit.OK
    if dry_run:
        lines = [
            line(
                f"This would create the database {scratch_database.name()}, run these steps in it, and drop it:"
            )
        ]
        lines += [line(f"  {name}") for name in drill.names()]
        console.print_result(
            {"database": scratch_database.name(), "dry_run": True, "passed": None, "steps": drill.names()},
            *lines,
        )
        return Exit.OK
    steps = []
    with keyboard.ending_in_order(), contextlib.closing(drill.run()) as walked:
        for step in walked:
            steps.append(step)
            console.show(_line(step))
    passed = all(step.result is not Result.FAIL for step in steps)
    console.print_result(
        {"database": scratch_database.name(), "dry_run": False, "passed": passed, "steps": steps}
    )
    return Exit.OK if passed else Exit.TROUBLE


def _print_steps(console: Console) -> None:
    """Prints each step when it ends, for the process outside."""
    for step in runner.walk():
        console.stdout.write(json.dumps(dataclasses.asdict(step), cls=Encoder) + "\n")
        console.stdout.flush()


def _line(step: Step) -> Text:
    return line(f"{step.result}  {step.name}: {step.detail}", _COLOURS[step.result])
