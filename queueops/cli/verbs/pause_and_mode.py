"""Verbs that switch the queue as a whole: pause and resume, its mode, and the breakers of its providers."""

from argparse import ArgumentParser

from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Refused
from queueops.cli.frame.tables import line
from queueops.cli.frame.verb import VerbGroup
from queueops.engine import modes
from queueops.models import Mode, QueueState, Worker
from queueops.monitoring import health, provider_status
from queueops.monitoring.provider_status import ProviderStatus
from queueops.operate import controls

family = VerbGroup("Switching", is_brief=True)

_MEANS = {
    Mode.QUEUED: "a save makes a task, and workers embed it",
    Mode.SYNCHRONOUS: "a save embeds in its request; workers work off what is left behind",
    Mode.DISABLED: "nothing is embedded, no task is made, and searches answer by words",
}


@family.verb("pause", "claim nothing more until resumed", arguments=arguments.add_reason, keys=("operation",))
def pause(console: Console, *, reason: str) -> None:
    operation = controls.pause(actor=console.actor, reason=reason)
    console.answer(
        {"operation": operation}, f"paused; what is under way ends as usual (operation {operation})"
    )


@family.verb("resume", "claim again, at once", arguments=arguments.add_reason, keys=("operation",))
def resume(console: Console, *, reason: str) -> None:
    operation = controls.resume(actor=console.actor, reason=reason)
    console.answer({"operation": operation}, f"resumed{_still_stopped()} (operation {operation})")


def _still_stopped() -> str:
    """What a resume leaves as it is: workers that `stop` has told to stop."""
    stopped = Worker.objects.stopped().count()
    told = "1 worker is" if stopped == 1 else f"{stopped:,} workers are"
    return f", but {told} still told to stop: manage.py queue_admin start" if stopped else ""


def _mode_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "mode",
        nargs="?",
        choices=[*map(str, Mode), controls.ENVIRONMENT],
        help=f"one of %(choices)s ({controls.ENVIRONMENT}: as the settings say); without one it is shown",
    )
    arguments.add_reason(parser, help="kept in the audit log; needed to set the mode")


@family.verb(
    "mode",
    "how the installation runs: queued, synchronous or disabled",
    arguments=_mode_arguments,
    keys=("mode", "mode_in_settings", "is_persisted", "changed_by", "changed_at", "reason", "operation"),
)
def mode(console: Console, *, mode: str | None, reason: str) -> None:
    operation = None
    if mode is not None:
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
    }
    console.answer(fields, *map(line, lines))


def _mode_origin(state: QueueState, in_settings: Mode) -> str:
    if not state.mode:
        return "The settings ask for this."
    who = f" by {state.mode_changed_by}" if state.mode_changed_by else ""
    why = f": {state.mode_reason.rstrip('.')}" if state.mode_reason else ""
    return (
        f"Set{who}{why}. The settings ask for {in_settings}: mode {controls.ENVIRONMENT} goes back to that."
    )


def _breaker_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--reset", action="store_true", help="forget outages and limits; ask at once")
    parser.add_argument("--provider", action="append", metavar="NAME", help="only this one; may be repeated")
    arguments.add_reason(parser, help="kept in the audit log; needed with --reset")


@family.verb(
    "breaker",
    "how each provider stands: outage, rate limit, budgets",
    arguments=_breaker_arguments,
    keys=("providers",),
)
def breaker(console: Console, *, reset: bool, provider: list[str] | None, reason: str) -> None:
    _refuse_unknown(provider or [])
    if reset:
        names = controls.reset_providers(provider, actor=console.actor, reason=reason)
        console.show(f"reset: {', '.join(names) or 'nothing was remembered'}")
    views = [view for view in provider_status.views() if not provider or view.name in provider]
    console.answer({"providers": views}, *(line(standing(view)) for view in views))


def _refuse_unknown(wanted: list[str]) -> None:
    known = [view.name for view in provider_status.views()]
    if unknown := sorted(set(wanted) - set(known)):
        raise Refused(f"there is no provider {unknown[0]!r}; there are {', '.join(known)}")


def standing(view: ProviderStatus) -> str:
    """How a provider stands, on one line."""
    parts = [f"{view.name}: {view.breaker.replace('_', ' ')}"]
    if view.is_out:
        parts.append(f"out for {health.age(view.out_for or 0)}, next try in {health.age(view.retry_in or 0)}")
    elif view.failures:
        parts.append(f"{view.failures} batches in a row failed")
    if view.blocked_for:
        parts.append(f"at its rate limit for {health.age(view.blocked_for)} more")
    if view.calls:
        parts.append(f"{view.calls} calls in flight")
    if view.tokens_today:
        spent = ", the budget is spent" if view.is_spent else ""
        parts.append(f"{view.tokens_today:,} tokens today{spent}")
    if view.last_error:
        parts.append(f"last error: {view.last_error}")
    return "; ".join(parts)
