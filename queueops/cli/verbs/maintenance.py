"""Verbs that run by hand what workers run on a schedule: maintenance, and the cleanup of old rows."""

import time
from dataclasses import asdict
from datetime import timedelta

from django.conf import settings

from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.maintenance import cleanup as cleanup_rows
from queueops.maintenance import schedule
from queueops.maintenance.cleanup import Removed
from queueops.maintenance.schedule import MaintenanceResult
from queueops.models import AuditLog
from queueops.models.audit import tidy_reason

family = VerbGroup("Maintenance")

_MOST_DAYS = 36_500


def _maintenance_arguments(parser: Options) -> None:
    parser.add_argument("--once", action="store_true", help="do all of it now, then exit: for cron")
    arguments.add_change(parser)


@family.verb(
    "maintenance",
    "run the sweep, the cleanup and the sampler, until stopped or once",
    arguments=_maintenance_arguments,
    keys=("dry_run", *MaintenanceResult.__dataclass_fields__),
)
def maintenance(console: Console, *, once: bool, reason: str, yes: bool, dry_run: bool) -> None:
    how_long = "once" if once else "until stopped"
    if not console.agree(f"run the sweep, the cleanup and the sampler {how_long}", yes=True, dry_run=dry_run):
        console.print_result({"dry_run": True, **vars(MaintenanceResult())})
        return
    if reason := tidy_reason(reason):
        scope = {"verb": "maintenance", "once": once}
        AuditLog.write_operation("maintenance by hand", actor=console.actor, reason=reason, scope=scope)
    if once:
        _print_result(console, schedule.once())
        return
    console.show("Running maintenance when it is due, until stopped; workers do the same.")
    while True:
        if kept := schedule.if_due():
            _print_result(console, kept)
        console.stdout.flush()
        time.sleep(settings.EMBEDDING_WORKER_INTERVAL / 1000)


def _print_result(console: Console, kept: MaintenanceResult) -> None:
    console.print_result({"dry_run": False, **vars(kept)}, str(kept))


def _cleanup_arguments(parser: Options) -> None:
    parser.add_argument(
        "--days",
        type=arguments.whole(0, _MOST_DAYS),
        metavar="N",
        help="keep rows of the last N days (default: EMBEDDING_CLEANUP_RETENTION_DAYS)",
    )
    arguments.add_agreement(parser)
    arguments.add_reason(parser)


@family.verb(
    "cleanup",
    "remove old completed tasks, audit rows and metrics",
    arguments=_cleanup_arguments,
    keys=("days", "dry_run", *Removed.__dataclass_fields__, "operation"),
)
def cleanup(console: Console, *, days: int | None, yes: bool, dry_run: bool, reason: str) -> None:
    age = cleanup_rows.kept_for() if days is None else timedelta(days=days)
    fields = {"days": age.days, "dry_run": dry_run, "operation": None}
    there = cleanup_rows.past(age)
    # It removes what the schedule removes: cron needs no --yes, a person is asked.
    agreed = yes or not console.can_ask
    if not there.total:
        console.print_result(fields | asdict(there), f"Nothing is older than {age.days} days.")
    elif not console.agree(f"remove {there}, older than {age.days} days", yes=agreed, dry_run=dry_run):
        console.print_result(fields | asdict(there))
    else:
        removed, operation = _clean(console, age, there.total, reason)
        console.print_result(
            fields | asdict(removed) | {"operation": operation}, f"Removed {removed} (operation {operation})."
        )


def _clean(console: Console, age: timedelta, total: int, reason: str) -> tuple[Removed, object]:
    """Removes batch after batch; an interrupted cleanup is in the audit log too."""
    removed = Removed()
    operation: object = None
    try:
        with console.progress("Removing", total) as steps:
            for batch in cleanup_rows.batches(age):
                removed += batch
                steps.advance(batch.total)
    finally:
        operation = AuditLog.write_operation(
            "old rows removed",
            actor=console.actor,
            reason=reason or "cleanup",
            scope={"verb": "cleanup", "days": age.days, **asdict(removed)},
        )
    return removed, operation
