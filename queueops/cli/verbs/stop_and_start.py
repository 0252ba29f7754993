"""Verbs that stop every worker, at once where it must be, and let them go again; and what is stuck."""

from argparse import ArgumentParser

from django.db.models import F
from django.db.models.functions import Extract, Now

from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.tables import table
from queueops.cli.frame.verb import VerbGroup
from queueops.models import Task
from queueops.monitoring import health
from queueops.operate import controls

family = VerbGroup("Braking", is_brief=True)


def _add_optional_reason(parser: ArgumentParser) -> None:
    arguments.add_reason(parser)


@family.verb(
    "stop",
    "pause, and stop every worker process until started again",
    arguments=_add_optional_reason,
    keys=("operation",),
)
def stop(console: Console, *, reason: str) -> None:
    operation = controls.stop(actor=console.actor, reason=reason or "stopped from the command line")
    console.answer(
        {"operation": operation}, f"stopped; what is under way ends as usual (operation {operation})"
    )


@family.verb(
    "start", "take back every brake; claim at once", arguments=_add_optional_reason, keys=("operation",)
)
def start(console: Console, *, reason: str) -> None:
    operation = controls.start(actor=console.actor, reason=reason)
    console.answer({"operation": operation}, f"started (operation {operation})")


@family.verb(
    "emergency-stop",
    "stop, and take from workers what they hold; nothing is lost",
    arguments=_add_optional_reason,
    keys=("operation", "workers", "released"),
)
def emergency_stop(console: Console, *, reason: str) -> None:
    done = controls.emergency_stop(
        actor=console.actor, reason=reason or "emergency stop from the command line"
    )
    console.answer(
        vars(done),
        f"stopped; workers: {done.workers:,}; tasks taken back, which wait again: {done.released:,} "
        f"(operation {done.operation})",
        "When all is well: manage.py queue_admin start",
    )


def _stuck_arguments(parser: ArgumentParser) -> None:
    arguments.add_limit(parser, 50)


@family.verb(
    "stuck",
    "tasks in work whose lease has ended: their worker died or hangs",
    arguments=_stuck_arguments,
    keys=("stuck", "tasks"),
)
def stuck(console: Console, *, limit: int) -> None:
    expired = Task.objects.expired()
    ended = Extract(Now() - F("lease_expires_at"), "epoch")
    began = Extract(Now() - F("processed_at"), "epoch")
    rows = expired.order_by("lease_expires_at").annotate(lease_ended=ended, in_work=began)
    tasks = list(
        rows.values("id", "slug", "claimed_by", "attempts", "max_attempts", "lease_ended", "in_work")[:limit]
    )
    heads = ["id", "article", "held by", "tries", "in work for", "lease ended ago"]
    cells = [
        [
            row["id"],
            row["slug"],
            row["claimed_by"],
            f"{row['attempts']} of {row['max_attempts']}",
            health.age(float(row["in_work"] or 0)),
            health.age(float(row["lease_ended"])),
        ]
        for row in tasks
    ]
    more = (
        "The sweep gives them to others within its interval; to do it now: manage.py queue_admin reset-stuck"
    )
    answer = [table(heads, cells, ["id"]), more] if tasks else ["Nothing is stuck."]
    console.answer({"stuck": expired.count(), "tasks": tasks}, *answer)
