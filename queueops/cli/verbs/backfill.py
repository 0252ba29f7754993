"""The verbs of `manage.py embed_migrate`: what a migration would take, the run, and the way back."""

import dataclasses
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType

from embeddings.models import Space
from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.tables import line
from queueops.cli.frame.verb import VerbGroup
from queueops.cli.verbs import bulk, estimate_table
from queueops.engine import modes
from queueops.models import Mode, Operation, Priority, QueueState, Verb
from queueops.monitoring.article_filter import ArticleFilter, Found
from queueops.operate.backfill import adoption, estimation, rollback, run
from queueops.operate.backfill.adoption import Adopted, AdoptionError, Column
from queueops.operate.operations import OperationError
from queueops.operate.operations.policies import POLICIES

family = VerbGroup("Migrating")

_MOST_A_BATCH = POLICIES[Verb.MIGRATE].most
_FORWARD = "add --forward to go back to queued mode and let the workers go on"


def _scope_arguments(parser: ArgumentParser) -> None:
    arguments.add_article_filter(parser)
    parser.add_argument("--only-failed", action="store_true", help="only articles that were given up")
    parser.add_argument(
        "--limit", type=arguments.whole(1, 10**9), metavar="N", help="so many articles at most"
    )
    parser.add_argument(
        "--stage",
        type=percent,
        metavar="PERCENT",
        help="so many of all articles, e.g. 10%%; again for the next",
    )


@family.verb(
    "analyze",
    "articles with, without and behind; what embedding them would take",
    arguments=_scope_arguments,
    keys=("mode", "spaces", "total", "given_up", "estimates"),
)
def analyze(console: Console, **options: Any) -> None:
    scope = _scope(options)
    spaces, found, estimates = estimation.standings(scope), scope.find(), estimation.estimates(scope)
    mode, given_up = modes.current(), scope.left_out()
    console.answer(
        {
            "mode": mode,
            "spaces": spaces,
            "total": found.articles,
            "given_up": given_up,
            "estimates": estimates,
        },
        line(f"The mode is {mode}."),
        estimate_table.standings(spaces),
        line(_missing(found)),
        *_given_up(given_up),
        *_estimated(estimates),
    )


def _run_arguments(parser: ArgumentParser) -> None:
    _scope_arguments(parser)
    parser.add_argument(
        "--priority", choices=[str(each) for each in Priority], default="", help="the lane (default: low)"
    )
    parser.add_argument(
        "--batch-size",
        type=arguments.whole(1, _MOST_A_BATCH),
        default=_MOST_A_BATCH,
        metavar="N",
        help=f"articles a transaction at most, up to {_MOST_A_BATCH:,}; it finds its own size below that",
    )
    parser.add_argument(
        "--adopt",
        metavar="TABLE.COLUMN[:KEY]",
        help="first take over the vectors in this column, if a sample agrees; KEY holds the article's id or slug",
    )
    parser.add_argument("--forward", action="store_true", help="after a rollback: back to queued mode first")
    arguments.add_agreement(parser)
    arguments.add_reason(parser)


@family.verb(
    "run",
    "queue every article that has no vectors of its present text",
    arguments=_run_arguments,
    keys=(
        "dry_run", "mode", "total", "given_up", "estimates", "operation", "state", "changed", "skipped", "skips",
        "adopted", "seconds",
    ),
)  # fmt: skip
def migrate(console: Console, **options: Any) -> Exit:
    plan = _plan(console, options)
    if not plan.has_work:
        console.answer(plan.fields(), line("Nothing to do: every article that fits is embedded or queued."))
        return Exit.OK
    if not console.agree(plan.deed, yes=options["yes"], dry_run=options["dry_run"]):
        console.answer(plan.fields())
        return Exit.OK
    reason = options["reason"] or "migrated from the command line"
    if plan.mode is not Mode.QUEUED:
        rollback.roll_forward(actor=console.actor, reason=reason)
    began = time.monotonic()
    adopted = _adopt(console, plan, reason) if plan.adopting else None
    done = _queue(console, plan, reason, options["batch_size"])
    return _tell(console, plan, done, adopted, time.monotonic() - began)


@dataclass(frozen=True)
class _Plan:
    """What a run is about to do. `given_up` articles are left out of `found`. `estimates` are None where nobody will
    look at them."""

    scope: ArticleFilter
    found: Found
    given_up: int
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
    def deed(self) -> str:
        steps = [f"go from {self.mode} back to queued mode"] if self.mode is not Mode.QUEUED else []
        if self.adopting:
            steps.append(f"take over up to {self.adopting[2]:,} vectors from {self.adopting[1]}")
        count, lane = self.found.articles, self.priority or Priority.LOW
        return ", then ".join([*steps, f"queue {count:,} {_noun(count)} in the {lane} lane"])

    def fields(self, done: Operation | None = None, adopted: Adopted | None = None) -> dict[str, Any]:
        return {
            "dry_run": self.dry_run,
            "mode": self.mode,
            "total": done.total if done else self.found.articles,
            "given_up": self.given_up,
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
    scope = _scope(options)
    found, given_up = scope.find(), scope.left_out()
    adopting = _compared(console, options["adopt"], scope) if options["adopt"] else None
    is_looked_at = options["dry_run"] or (not options["yes"] and console.can_ask)
    estimates = estimation.estimates(scope) if is_looked_at and found.articles else None
    console.show(*_estimated(estimates or []), *_given_up(given_up))
    return _Plan(scope, found, given_up, options["priority"], mode, options["dry_run"], adopting, estimates)


def _mode(*, forward: bool, dry_run: bool, console: Console) -> Mode:
    """The mode in force. Raises Refused where what is queued would not be what people expect."""
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
    """Where vectors may be taken from, and how many. Raises Refused unless the sample agrees."""
    space = Space.objects.serving()
    if space is None:
        raise Refused("there is no serving space that could take vectors over")
    try:
        where = adoption.column_of(name)
        compared = adoption.compare(space, where, scope)
    except AdoptionError as error:
        raise Refused(str(error)) from error
    if compared.cosines and not compared.agrees:
        raise Refused(
            f"{where} is not taken over: {compared}. Those vectors are of another model or of other text; without "
            "--adopt the articles are embedded anew"
        )
    if compared.cosines:
        console.show(line(f"{where} agrees with {space}: {compared}."))
    return space, where, adoption.count(space, where, scope)


def _adopt(console: Console, plan: _Plan, reason: str) -> Adopted:
    assert plan.adopting is not None
    space, where, count = plan.adopting
    with console.progress("Taking vectors over", count) as bar:
        return adoption.adopt(
            space, where, plan.scope, actor=console.actor, reason=reason, progress=bar.advance
        )


def _queue(console: Console, plan: _Plan, reason: str, batch_size: int) -> Operation:
    try:
        with run.begun(plan.scope, actor=console.actor, reason=reason, priority=plan.priority) as operation:
            if operation.cursor:
                console.show(line(f"Going on after {operation.changed:,} of {operation.total:,} articles."))
            return bulk.carry_out(console, operation, batch_size)
    except OperationError as error:
        raise Refused(str(error)) from error


def _tell(console: Console, plan: _Plan, done: Operation, adopted: Adopted | None, seconds: float) -> Exit:
    told = [line(f"{done.changed:,} {_noun(done.changed)} queued in {seconds:.1f} s; operation {done.pk}")]
    told += [line(f"{count:,} not: {why}") for why, count in done.skips.items()]
    if adopted:
        told.insert(0, line(_adopted(adopted)))
    if done.is_stage:
        told.append(line("The other articles wait for the next run; until then no sweep takes them up"))
    if done.state == "done":
        told.append(line("Workers do the rest: manage.py queue_admin monitor, or wait-for-completion", "dim"))
    else:
        told.append(line(f"It was stopped: {done.state}. Run it again for the others.", "yellow"))
    modes.forget()
    mode = modes.current()  # it may have been set on the way
    console.answer(plan.fields(done, adopted) | {"mode": mode, "seconds": round(seconds, 2)}, *told)
    return Exit.OK if done.state == "done" else Exit.PARTLY


def _adopted(adopted: Adopted) -> str:
    others = (
        f"{adopted.several:,} of several chunks, {adopted.unusable:,} not usable, {adopted.changed:,} changed"
    )
    return f"{adopted.adopted:,} vectors taken over, at no cost; left to the queue: {others}"


def _rollback_arguments(parser: ArgumentParser) -> None:
    arguments.add_agreement(parser)
    arguments.add_reason(parser)


@family.verb(
    "rollback",
    "pause, cancel what the migration queued, return to synchronous mode",
    arguments=_rollback_arguments,
    keys=("dry_run", "waiting", "operation", "cancelled", "skipped", "left", "mode", "paused", "verified"),
)
def roll_back(console: Console, *, yes: bool, dry_run: bool, reason: str) -> Exit:
    before = rollback.look()
    fields: dict[str, Any] = {"dry_run": dry_run, "waiting": before.left, "operation": None, "cancelled": 0}
    if before.is_rolled_back:
        console.answer(fields | _standing(before), line(f"Nothing to roll back: {_said(before)}."))
        return Exit.OK
    deed = f"pause the workers, cancel {before.left:,} tasks that the migration queued, and return to synchronous mode"
    if not console.agree(deed, yes=yes, dry_run=dry_run):
        console.answer(fields | _standing(before))
        return Exit.OK
    done = rollback.roll_back(
        actor=console.actor,
        reason=reason or "migration rolled back",
        carry_out=lambda operation: bulk.carry_out(console, operation),
    )
    after = rollback.look()
    fields |= {"operation": done.pk, "cancelled": done.changed, "skipped": done.skipped}
    console.answer(
        fields | _standing(after, done.skipped),
        line(f"{done.changed:,} tasks cancelled (operation {done.pk}); {_said(after)}."),
        line("Verified." if after.is_rolled_back else "Not all of it is done: run it again."),
        line("To go forward again: manage.py embed_migrate run --forward", "dim"),
    )
    return Exit.OK if after.is_rolled_back else Exit.PARTLY


def _standing(now: rollback.RollbackReading, skipped: int = 0) -> dict[str, Any]:
    verified = now.is_rolled_back
    return {
        "skipped": skipped,
        "left": now.left,
        "mode": now.mode,
        "paused": now.is_paused,
        "verified": verified,
    }


def _said(now: rollback.RollbackReading) -> str:
    paused = "the workers are paused" if now.is_paused else "the workers are not paused"
    left = f"{now.left:,} tasks of the migration are left" if now.left else "no task of the migration is left"
    return f"the mode is {now.mode}, {paused}, {left}"


def percent(text: str) -> float:
    """The type of an option that is a share: 10% or 10, above 0 and up to 100."""
    try:
        share = float(text.removesuffix("%"))
    except ValueError:
        share = 0.0
    if not 0 < share <= 100:
        raise ArgumentTypeError(f"{text!r} is no share: give a percentage up to 100, for instance 10%")
    return share


def _scope(options: dict[str, Any]) -> ArticleFilter:
    objects = [given for given in options["filters"] if isinstance(given, dict)]
    slugs = [given for given in options["filters"] if isinstance(given, str)]
    if len(objects) > 1 or len(slugs) > 1:
        raise Refused("give --filter once for metadata and once for a slug, not more")
    return ArticleFilter(
        metadata=objects[0] if objects else None,
        slug=slugs[0] if slugs else "",
        only_failed=options["only_failed"],
        limit=options["limit"],
        stage=options["stage"],
    )


def _missing(found: Found) -> str:
    if not found.articles:
        return "Every article that fits is embedded or queued."
    return f"{found.articles:,} {_noun(found.articles)} to queue: manage.py embed_migrate run"


def _given_up(articles: int) -> list[RenderableType]:
    were, them = ("was", "it") if articles == 1 else ("were", "them")
    said = (
        f"Left out: {articles:,} {_noun(articles)} that {were} given up; --only-failed queues {them} again."
    )
    return [line(said)] if articles else []


def _estimated(estimates: Iterable[estimation.Estimate]) -> list[RenderableType]:
    return [each for estimate in estimates if estimate.articles for each in estimate_table.estimate(estimate)]


def _noun(count: int) -> str:
    return "article" if count == 1 else "articles"
