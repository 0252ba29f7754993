"""Verbs that stop and start every worker, and list stuck tasks."""

from django.db.models import F
from django.db.models.functions import Extract, Now

from lib.durations import age
from lib.manage_command import manage
from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.tables import table
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.models import Task, Worker
from queueops.operate import controls

family = VerbGroup("Stop and start", is_brief=True)


@family.verb(
    "stop",
    "pause, and stop every worker process, across restarts, until started again",
    arguments=arguments.add_change,
    keys=("dry_run", "operation"),
)
def stop(console: Console, *, reason: str, yes: bool, dry_run: bool) -> None:
    if not console.agree("stop every worker; tasks in progress finish", yes=True, dry_run=dry_run):
        console.print_result({"dry_run": True, "operation": None})
        return
    operation = controls.stop(actor=console.actor, reason=reason or "stopped from the command line")
    console.print_result(
        {"dry_run": False, "operation": operation},
        f"stopped; tasks in progress finish (operation {operation})",
    )


@family.verb(
    "start",
    "end a pause, stop or emergency stop; claim tasks again, at once",
    arguments=arguments.add_change,
    keys=("dry_run", "operation"),
)
def start(console: Console, *, reason: str, yes: bool, dry_run: bool) -> None:
    if not console.agree("start every worker and resume the queue", yes=True, dry_run=dry_run):
        console.print_result({"dry_run": True, "operation": None})
        return
    operation = controls.start(actor=console.actor, reason=reason)
    console.print_result({"dry_run": False, "operation": operation}, f"started (operation {operation})")


@family.verb(
    "emergency-stop",
    "stop, and release the tasks that workers hold; nothing is lost",
    arguments=arguments.add_change,
    keys=("dry_run", "operation", "workers", "released"),
)
def emergency_stop(console: Console, *, reason: str, yes: bool, dry_run: bool) -> None:
    if dry_run:
        workers, held = Worker.objects.count(), Task.objects.processing().count()
        console.agree(f"stop {workers:,} workers and release {held:,} tasks", yes=True, dry_run=True)
        console.print_result({"dry_run": True, "operation": None, "workers": workers, "released": held})
        return
    done = controls.emergency_stop(
        actor=console.actor, reason=reason or "emergency stop from the command line"
    )
    console.print_result(
        {"dry_run": False, **vars(done)},
        f"stopped; workers: {done.workers:,}; tasks released, pending again: {done.released:,} "
        f"(operation {done.operation})",
        f"When the cause is gone: {manage('queue_admin start')}",
    )


def _stuck_arguments(parser: Options) -> None:
    arguments.add_limit(parser, 50)


@family.verb(
    "stuck",
    "tasks in progress whose lease has expired: their worker died or hangs",
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
    heads = ["id", "article", "held by", "attempts", "in progress for", "lease expired ago"]
    cells = [
        [
            row["id"],
            row["slug"],
            row["claimed_by"],
            f"{row['attempts']} of {row['max_attempts']}",
            age(float(row["in_work"] or 0)),
            age(float(row["lease_ended"])),
        ]
        for row in tasks
    ]
    more = (
        "The sweep releases them within its interval. To release them now: "
        f"{manage('queue_admin reset-stuck')}"
    )
    answer = [table(heads, cells, ["id"]), more] if tasks else ["No task is stuck."]
    console.print_result({"stuck": expired.count(), "tasks": tasks}, *answer)
