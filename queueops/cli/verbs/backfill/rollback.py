"""`embed_migrate rollback`: pauses, cancels the tasks of the backfill, and returns to synchronous mode."""

from typing import Any

from lib.manage_command import manage
from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit
from queueops.cli.frame.tables import line
from queueops.cli.frame.verb import Options
from queueops.cli.verbs import bulk
from queueops.cli.verbs.backfill.options import family
from queueops.operate.backfill import rollback


def _rollback_arguments(parser: Options) -> None:
    arguments.add_agreement(parser)
    arguments.add_reason(parser)


@family.verb(
    "rollback",
    "pause, cancel the tasks of the migration, return to synchronous mode",
    arguments=_rollback_arguments,
    keys=("dry_run", "waiting", "operation", "cancelled", "skipped", "left", "mode", "paused", "verified"),
)
def roll_back(console: Console, *, yes: bool, dry_run: bool, reason: str) -> Exit:
    before = rollback.look()
    fields: dict[str, Any] = {"dry_run": dry_run, "waiting": before.left, "operation": None, "cancelled": 0}
    if before.is_rolled_back:
        console.print_result(fields | _reading(before), line(f"Nothing to roll back: {_sentence(before)}."))
        return Exit.OK
    change = (
        f"pause the workers, cancel {before.left:,} tasks of the migration, and return to synchronous mode"
    )
    if not console.agree(change, yes=yes, dry_run=dry_run):
        console.print_result(fields | _reading(before))
        return Exit.OK
    done = rollback.roll_back(
        actor=console.actor,
        reason=reason or "migration rolled back",
        carry_out=lambda operation: bulk.carry_out(console, operation),
    )
    after = rollback.look()
    fields |= {"operation": done.pk, "cancelled": done.changed, "skipped": done.skipped}
    console.print_result(
        fields | _reading(after, done.skipped),
        line(f"{done.changed:,} tasks cancelled (operation {done.pk}); {_sentence(after)}."),
        line("Verified." if after.is_rolled_back else "Incomplete: run it again."),
        line(f"To return to queued mode: {manage('embed_migrate run --forward')}", "dim"),
    )
    return Exit.OK if after.is_rolled_back else Exit.PARTLY


def _reading(now: rollback.RollbackReading, skipped: int = 0) -> dict[str, Any]:
    verified = now.is_rolled_back
    return {
        "skipped": skipped,
        "left": now.left,
        "mode": now.mode,
        "paused": now.is_paused,
        "verified": verified,
    }


def _sentence(now: rollback.RollbackReading) -> str:
    paused = "the workers are paused" if now.is_paused else "the workers are not paused"
    left = f"{now.left:,} tasks of the migration are left" if now.left else "no task of the migration is left"
    return f"the mode is {now.mode}, {paused}, {left}"
