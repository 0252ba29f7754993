"""Verbs for the queue as a whole: pause, resume, mode, and the circuit breakers of its providers."""

from lib.durations import age
from lib.manage_command import manage
from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Refused
from queueops.cli.frame.tables import line
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.engine import modes
from queueops.models import Mode, QueueState, Worker
from queueops.monitoring import provider_status
from queueops.monitoring.provider_status import ProviderStatus
from queueops.operate import controls

family = VerbGroup("Pause and mode", is_brief=True)

_MEANS = {
    Mode.QUEUED: "a save creates a task, and workers embed it",
    Mode.SYNCHRONOUS: "a save embeds in its request; workers handle the tasks that are left",
    Mode.DISABLED: "nothing is embedded, no task is created, and searches match by words",
}


@family.verb(
    "pause",
    "stop claiming tasks until resumed",
    arguments=arguments.add_change,
    keys=("dry_run", "operation"),
)
def pause(console: Console, *, reason: str, yes: bool, dry_run: bool) -> None:
    if not console.agree("pause the queue; tasks in progress finish", yes=True, dry_run=dry_run):
        console.print_result({"dry_run": True, "operation": None})
        return
    operation = controls.pause(actor=console.actor, reason=reason)
    console.print_result(
        {"dry_run": False, "operation": operation},
        f"paused; tasks in progress finish (operation {operation})",
    )


@family.verb(
    "resume",
    "claim tasks again, at once",
    arguments=arguments.add_change,
    keys=("dry_run", "operation"),
)
def resume(console: Console, *, reason: str, yes: bool, dry_run: bool) -> None:
    if not console.agree(f"resume the queue{_still_stopped()}", yes=True, dry_run=dry_run):
        console.print_result({"dry_run": True, "operation": None})
        return
    operation = controls.resume(actor=console.actor, reason=reason)
    console.print_result(
        {"dry_run": False, "operation": operation}, f"resumed{_still_stopped()} (operation {operation})"
    )


def _still_stopped() -> str:
    """The workers that `stop` has stopped: a resume does not start them."""
    stopped = Worker.objects.stopped().count()
    workers = "1 worker is" if stopped == 1 else f"{stopped:,} workers are"
    return f", but {workers} still stopped: run {manage('queue_admin start')}" if stopped else ""


def _mode_arguments(parser: Options) -> None:
    parser.add_argument(
        "mode",
        nargs="?",
        choices=[*map(str, Mode), controls.ENVIRONMENT],
        help=f"one of %(choices)s ({controls.ENVIRONMENT}: the mode of the settings); shows the mode if omitted",
    )
    arguments.add_change(parser, reason="why; kept in the audit log; required to set the mode")


@family.verb(
    "mode",
    "how the installation runs: queued, synchronous or disabled",
    arguments=_mode_arguments,
    keys=(
        "mode", "mode_in_settings", "is_persisted", "changed_by", "changed_at", "reason", "operation", "dry_run",
    ),
)  # fmt: skip
def mode(console: Console, *, mode: str | None, reason: str, yes: bool, dry_run: bool) -> None:
    operation = None
    if mode is not None and console.agree(_change_of_mode(mode), yes=True, dry_run=dry_run):
        wanted = None if mode == controls.ENVIRONMENT else Mode(mode)
        operation = controls.set_mode(wanted, actor=console.actor, reason=reason)
    state, in_settings = QueueState.objects.first() or QueueState(), modes.of_settings()
    now = Mode(state.mode or in_settings)
    lines = [f"{now}: {_MEANS[now]}", _mode_origin(state, in_settings)]
    if operation:
        lines.append(f"Every process follows within {modes.SECONDS:g} s (operation {operation}).")
    fields = {
        "mode": now,
        "mode_in_settings": in_settings,
        "is_persisted": bool(state.mode),
        "changed_by": state.mode_changed_by,
        "changed_at": state.mode_changed_at,
        "reason": state.mode_reason,
        "operation": operation,
        "dry_run": dry_run,
    }
    console.print_result(fields, *map(line, lines))


def _change_of_mode(mode: str) -> str:
    return f"set the mode to {modes.of_settings() if mode == controls.ENVIRONMENT else mode} in every process"


def _mode_origin(state: QueueState, in_settings: Mode) -> str:
    if not state.mode:
        return "This is the mode of the settings."
    who = f" by {state.mode_changed_by}" if state.mode_changed_by else ""
    why = f": {state.mode_reason.rstrip('.')}" if state.mode_reason else ""
    return f"Set{who}{why}. The mode of the settings is {in_settings}: mode {controls.ENVIRONMENT} returns to it."


def _breaker_arguments(parser: Options) -> None:
    parser.add_argument(
        "--reset", action="store_true", help="clear outages and limits; call the provider at once"
    )
    parser.add_argument(
        "--provider", action="append", metavar="NAME", help="only this provider; may be repeated"
    )
    arguments.add_change(parser, reason="why; kept in the audit log; required with --reset")


@family.verb(
    "breaker",
    "the state of each provider: outage, rate limit, budgets",
    arguments=_breaker_arguments,
    keys=("dry_run", "operation", "providers"),
)
def breaker(
    console: Console, *, reset: bool, provider: list[str] | None, reason: str, yes: bool, dry_run: bool
) -> None:
    _refuse_unknown(provider or [])
    which, operation = ", ".join(provider or ["every provider"]), None
    if reset and console.agree(f"clear the outages and rate limits of {which}", yes=True, dry_run=dry_run):
        done = controls.reset_providers(provider, actor=console.actor, reason=reason)
        operation = done.operation
        console.show(f"reset: {', '.join(done.providers) or 'nothing to clear'} (operation {operation})")
    views = [view for view in provider_status.views() if not provider or view.name in provider]
    fields = {"dry_run": dry_run, "operation": operation, "providers": views}
    console.print_result(fields, *(line(provider_line(view)) for view in views))


def _refuse_unknown(wanted: list[str]) -> None:
    known = [view.name for view in provider_status.views()]
    if unknown := sorted(set(wanted) - set(known)):
        raise Refused(f"unknown provider {unknown[0]!r}; known: {', '.join(known)}")


def provider_line(view: ProviderStatus) -> str:
    """The state of a provider, on one line."""
    parts = [f"{view.name}: {view.breaker.replace('_', ' ')}"]
    if view.is_out:
        parts.append(f"out for {age(view.out_for or 0)}, next call in {age(view.retry_in or 0)}")
    elif view.failures:
        parts.append(f"{view.failures} batches failed in a row")
    if view.blocked_for:
        parts.append(f"at its rate limit for {age(view.blocked_for)} more")
    if view.calls:
        parts.append(f"{view.calls} calls in flight")
    if view.tokens_today:
        spent = ", the budget is spent" if view.is_spent else ""
        parts.append(f"{view.tokens_today:,} tokens today{spent}")
    if view.last_error:
        parts.append(f"last error: {view.last_error}")
    return "; ".join(parts)
