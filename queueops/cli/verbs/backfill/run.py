"""`embed_migrate run`: queues every article without vectors of its current text, after adopting existing ones."""

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

from embeddings.models import Space
from lib.manage_command import manage
from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.tables import line
from queueops.cli.frame.verb import Options
from queueops.cli.verbs import bulk
from queueops.cli.verbs.backfill.options import add_filter, article_filter, estimated, family, noun
from queueops.cli.verbs.backfill.options import parked as parked_lines
from queueops.engine import modes
from queueops.models import Mode, Operation, Priority, QueueState, Verb
from queueops.monitoring.article_filter import ArticleFilter, Found
from queueops.operate.backfill import adoption, estimation, rollback, run
from queueops.operate.backfill.adoption import Adopted, AdoptionError, Column
from queueops.operate.operations import OperationError
from queueops.operate.operations.policies import POLICIES

_MOST_A_BATCH = POLICIES[Verb.MIGRATE].most
_FORWARD = "add --forward to return to queued mode and resume the workers"


def _run_arguments(parser: Options) -> None:
    add_filter(parser)
    parser.add_argument(
        "--priority", choices=[str(each) for each in Priority], default="", help="of the tasks (default: low)"
    )
    parser.add_argument(
        "--batch-size",
        type=arguments.whole(1, _MOST_A_BATCH),
        default=_MOST_A_BATCH,
        metavar="N",
        help=f"maximum articles per transaction (default and limit: {_MOST_A_BATCH:,}); the actual size adapts",
    )
    parser.add_argument(
        "--adopt",
        metavar="TABLE.COLUMN[:KEY]",
        help="first adopt the vectors in this column, if a sample agrees; KEY is the column of article ids or slugs",
    )
    parser.add_argument(
        "--forward", action="store_true", help="after a rollback: return to queued mode first"
    )
    arguments.add_agreement(parser)
    arguments.add_reason(parser)


@family.verb(
    "run",
    "queue every article without vectors of its current text",
    arguments=_run_arguments,
    keys=(
        "dry_run", "mode", "total", "parked", "estimates", "operation", "state", "changed", "skipped", "skips",
        "adopted", "seconds",
    ),
)  # fmt: skip
def migrate(console: Console, **options: Any) -> Exit:
    plan = _plan(console, options)
    if not plan.has_work:
        console.print_result(
            plan.fields(), line("Nothing to do: every matching article is embedded or queued.")
        )
        return Exit.OK
    if not console.agree(plan.change, yes=options["yes"], dry_run=options["dry_run"]):
        console.print_result(plan.fields())
        return Exit.OK
    reason = options["reason"] or "migrated from the command line"
    if plan.mode is not Mode.QUEUED:
        rollback.roll_forward(actor=console.actor, reason=reason)
    began = time.monotonic()
    adopted = _adopt(console, plan, reason) if plan.adopting else None
    done = _queue(console, plan, reason, options["batch_size"])
    return _print_result(console, plan, done, adopted, time.monotonic() - began)


@dataclass(frozen=True)
class _Plan:
    """What a run will do. `parked` articles are not in `found`. `estimates` are None if they are not printed."""

    scope: ArticleFilter
    found: Found
    parked: int
    priority: str
    mode: Mode
    dry_run: bool
    adopting: tuple[Space, Column, int] | None
    estimates: list[estimation.Estimate] | None

    @property
    def has_work(self) -> bool:
        return bool(
            self.found.articles or (self.adopting and self.adopting[2]) or self.mode is not Mode.QUEUED
        )

    @property
    def change(self) -> str:
        steps = [f"return from {self.mode} to queued mode"] if self.mode is not Mode.QUEUED else []
        if self.adopting:
            steps.append(f"adopt up to {self.adopting[2]:,} vectors from {self.adopting[1]}")
        count, priority = self.found.articles, self.priority or Priority.LOW
        return ", then ".join([*steps, f"queue {count:,} {noun(count)} with {priority} priority"])

    def fields(self, done: Operation | None = None, adopted: Adopted | None = None) -> dict[str, Any]:
        return {
            "dry_run": self.dry_run,
            "mode": self.mode,
            "total": done.total if done else self.found.articles,
            "parked": self.parked,
            "estimates": self.estimates,
            "operation": done and done.pk,
            "state": done and done.state,
            "changed": done.changed if done else 0,
            "skipped": done.skipped if done else 0,
            "skips": done.skips if done else {},
            "adopted": adopted and dataclasses.asdict(adopted),
            "seconds": None,
        }


def _plan(console: Console, options: dict[str, Any]) -> _Plan:
    mode = _mode(forward=options["forward"], dry_run=options["dry_run"], console=console)
    scope = article_filter(options)
    found, parked = scope.find(), scope.left_out()
    adopting = _compared(console, options["adopt"], scope) if options["adopt"] else None
    is_shown = options["dry_run"] or (not options["yes"] and console.can_ask)
    estimates = estimation.estimates(scope) if is_shown and found.articles else None
    console.show(*estimated(estimates or []), *parked_lines(parked))
    return _Plan(scope, found, parked, options["priority"], mode, options["dry_run"], adopting, estimates)


def _mode(*, forward: bool, dry_run: bool, console: Console) -> Mode:
    """The current mode. Raises Refused if it is not queued mode, since workers might not embed what is queued."""
    mode = modes.current()
    if mode is Mode.QUEUED or forward:
        return mode
    state = QueueState.objects.first() or QueueState()
    why = f", set by {state.mode_changed_by}: {state.mode_reason}" if state.mode else ", by the settings"
    sentence = f"the mode is {mode}{why}; {_FORWARD}"
    if not dry_run:
        raise Refused(sentence)
    console.show(line(f"Note: {sentence}."))
    return mode


def _compared(console: Console, name: str, scope: ArticleFilter) -> tuple[Space, Column, int]:
    """The column to adopt vectors from, and how many. Raises Refused unless the sample agrees."""
    space = Space.objects.serving()
    if space is None:
        raise Refused("no serving space to adopt vectors into")
    try:
        where = adoption.column_of(name)
        compared = adoption.compare(space, where, scope)
    except AdoptionError as error:
        raise Refused(str(error)) from error
    if compared.cosines and not compared.agrees:
        raise Refused(
            f"{where} is not adopted: {compared}. Its vectors are of another model or of other text. Without --adopt "
            "the articles are embedded again"
        )
    if compared.cosines:
        console.show(line(f"{where} agrees with {space}: {compared}."))
    return space, where, adoption.count(space, where, scope)


def _adopt(console: Console, plan: _Plan, reason: str) -> Adopted:
    assert plan.adopting is not None
    space, where, count = plan.adopting
    with console.progress("Adopting vectors", count) as bar:
        return adoption.adopt(
            space, where, plan.scope, actor=console.actor, reason=reason, progress=bar.advance
        )


def _queue(console: Console, plan: _Plan, reason: str, batch_size: int) -> Operation:
    try:
        with run.begun(plan.scope, actor=console.actor, reason=reason, priority=plan.priority) as operation:
            if operation.cursor:
                console.show(line(f"Resuming after {operation.changed:,} of {operation.total:,} articles."))
            return bulk.carry_out(console, operation, batch_size)
    except OperationError as error:
        raise Refused(str(error)) from error


def _print_result(
    console: Console, plan: _Plan, done: Operation, adopted: Adopted | None, seconds: float
) -> Exit:
    lines = [line(f"{done.changed:,} {noun(done.changed)} queued in {seconds:.1f} s; operation {done.pk}")]
    lines += [line(f"{count:,} skipped: {why}") for why, count in done.skips.items()]
    if adopted:
        lines.insert(0, line(_adopted(adopted)))
    if done.is_stage:
        lines.append(
            line(
                "The remaining articles are left for the next run; the sweep will not queue them before that"
            )
        )
    if done.state == "done":
        lines.append(line(f"To watch: {manage('queue_admin monitor')}, or wait-for-completion", "dim"))
    else:
        lines.append(line(f"Stopped: {done.state}. Run it again for the rest.", "yellow"))
    modes.forget()
    mode = modes.current()  # it may have changed during the run
    console.print_result(plan.fields(done, adopted) | {"mode": mode, "seconds": round(seconds, 2)}, *lines)
    return Exit.OK if done.state == "done" else Exit.PARTLY


def _adopted(adopted: Adopted) -> str:
    others = (
        f"{adopted.several:,} with several chunks, {adopted.unusable:,} unusable, {adopted.changed:,} changed"
    )
    return f"{adopted.adopted:,} vectors adopted without a provider call; left to the queue: {others}"
