"""Verbs for the queue as a whole: status, statistics and metrics."""

from datetime import timedelta
from typing import Any

from rich.console import RenderableType

from lib.durations import age
from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.tables import facts, line, table
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.cli.verbs import health as health_verb
from queueops.cli.verbs.health import COLOURS
from queueops.models import Status
from queueops.monitoring import health, snapshot, statistics
from queueops.monitoring.health import Health
from queueops.monitoring.snapshot import COUNT_LIMIT, Snapshot
from queueops.monitoring.statistics import Breakdown, MetricSummary

family = VerbGroup("Status", is_brief=True)

_MOST_MINUTES = 60 * 24 * 365


@family.verb(
    "status",
    "workers, task counts and health",
    keys=("worker_status", "worker_note", *health_verb.KEYS),
)
def status(console: Console) -> None:
    now = snapshot.take_despite_locks()
    judged = health.judge(now)
    word, note = health.workers(now)
    fields = {"worker_status": word, "worker_note": note, **health_verb.fields(now, judged)}
    console.print_result(
        fields,
        line(f"Worker Status: {word.capitalize()} ({note})", "green" if word == "running" else "yellow"),
        line(f"Mode: {now.mode}"),
        "Queue Statistics:",
        *(line(f"  {each.label}: {count(now, each)}") for each in Status),
        *([line(f"Long Articles: {judged.progress}")] if judged.progress else []),
        *verdict(judged),
    )


@family.verb(
    "stats",
    "statistics: rates, ages, priorities, errors, coverage",
    keys=(*health_verb.KEYS, *Breakdown.__dataclass_fields__),
)
def stats(console: Console) -> None:
    now = snapshot.take()
    judged = health.judge(now)
    more = statistics.breakdown()
    console.print_result(
        health_verb.fields(now, judged) | vars(more), facts(_facts(now, more)), *verdict(judged)
    )


def _metrics_arguments(parser: Options) -> None:
    parser.add_argument(
        "--minutes",
        type=arguments.whole(1, _MOST_MINUTES),
        default=60,
        metavar="N",
        help="minutes to look back (default: 60)",
    )


@family.verb(
    "metrics",
    "current numbers by name, and recent metrics",
    arguments=_metrics_arguments,
    keys=("minutes", "now", "measured"),
)
def metrics(console: Console, *, minutes: int) -> None:
    present = gauges(snapshot.take())
    measured = statistics.courses(timedelta(minutes=minutes))
    fields = {"minutes": minutes, "now": present, "measured": measured}
    heads = ("name", "samples", "average", "least", "most", "sum", "last", "measured at")
    console.print_result(
        fields,
        table(["now", "value"], [[name, _short(value)] for name, value in present.items()], ["value"]),
        "",
        line(f"In the last {minutes} minutes:"),
        table(heads, map(_cells, measured), heads[1:7]),
    )


def gauges(now: Snapshot) -> dict[str, float]:
    """The snapshot's numbers by flat names, without those that are None."""
    flat: dict[str, Any] = {}
    for name, value in now.as_dict().items():
        parts = value.items() if isinstance(value, dict) else [("", value)]
        flat |= {f"{name}_{part}".rstrip("_"): each for part, each in parts}
    return {
        name: value
        for name, value in flat.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def number(now: Snapshot, status: Status) -> str:
    """How many tasks have a status; an estimate above the count limit."""
    if now.partial:
        return "unknown"
    if now.tasks[status] < COUNT_LIMIT:
        return f"{now.tasks[status]:,}"
    about = now.estimated[status]
    return f"about {about:,}" if about > COUNT_LIMIT else f"{COUNT_LIMIT:,} or more"


def count(now: Snapshot, status: Status) -> str:
    """The same; of failed tasks first those whose article still waits for its text to be embedded."""
    total = number(now, status)
    if status != Status.FAILED or now.partial or not now.tasks[status]:
        return total
    return f"{_bounded(now.failed_open)} open, {total} in all"


def verdict(judged: Health) -> list[RenderableType]:
    """The condition and its reasons."""
    colour = COLOURS[judged.condition]
    sentences = (*(judged.reasons or (judged.sentence,)), *judged.notes)
    return [line(f"Health: {judged.condition}", colour), *(line(f"  {sentence}") for sentence in sentences)]


def _facts(now: Snapshot, more: Breakdown) -> list[tuple[str, object]]:
    took = more.seconds_per_task
    return [
        *((each.label, count(now, each)) for each in Status),
        ("Due", _bounded(now.due)),
        ("Oldest due for", _span(now.oldest_due_age)),
        ("Pending by priority", _list(more.pending_by_priority)),
        ("Failed by error", _list(more.failed_by_error)),
        ("Open by error", _list(more.open_by_error)),
        ("Ended in 5 minutes", f"{_bounded(now.completed_5m)} completed, {_bounded(now.failed_5m)} failed"),
        ("Ended in an hour", f"{_bounded(now.completed_1h)} completed, {_bounded(now.failed_1h)} failed"),
        ("Tasks per second", f"{now.per_second:.1f}"),
        ("Time left", _span(now.eta)),
        ("Seconds per task", _durations(took.average, took.p50, took.p95)),
        ("Workers", "{}: {}".format(*health.workers(now))),
        ("Last claim", _ago(now.last_claim_age)),
        ("Last sweep", _ago(now.sweep_age)),
        ("Expired leases", _bounded(now.expired_leases)),
        ("Mode", now.mode),
        ("Space", now.space or "none serving yet"),
        ("Articles", f"{now.articles:,}"),
        ("Coverage", _coverage(now)),
    ]


def _coverage(now: Snapshot) -> str:
    percent = int(now.coverage * 1000) / 10  # rounded down: 100 means all
    counted = f", counted {age(now.coverage_age)} ago" if now.coverage_age else ""
    return f"{now.embedded:,} ({percent:g}%{counted})"


def _bounded(count: int) -> str:
    return f"{COUNT_LIMIT:,}+" if count >= COUNT_LIMIT else f"{count:,}"


def _list(numbers: dict[str, int]) -> str:
    return (
        ", ".join(f"{name or 'unknown'} {_bounded(count)}" for name, count in numbers.items() if count)
        or "none"
    )


def _span(seconds: float | None) -> str:
    return "-" if seconds is None else age(seconds)


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{age(seconds)} ago"


def _durations(average: float | None, p50: float | None, p95: float | None) -> str:
    if average is None or p50 is None or p95 is None:
        return "-"
    return f"average {average:.3f}, median {p50:.3f}, 95% below {p95:.3f}"


def _cells(course: MetricSummary) -> list[object]:
    numbers = [course.average, course.least, course.most, course.sum, course.last]
    return [course.name, f"{course.samples:,}", *map(_short, numbers), f"{course.last_at:%Y-%m-%d %H:%M:%S}"]


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3f}".rstrip("0").rstrip(".")
