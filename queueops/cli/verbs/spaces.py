"""Verbs of `manage.py spaces`: the embedding model is changed while people search, step by step and back."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured

from articles.models import Article
from embeddings.models import Space, SpaceState
from embeddings.storage import ann_index, coverage
from lib.manage_command import manage
from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.tables import line, table
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.cli.verbs import estimate_table
from queueops.engine import modes
from queueops.models import Mode
from queueops.models.audit import needed_reason
from queueops.operate import space_changes
from queueops.operate.backfill import estimation
from queueops.operate.space_states import ChangeRefused, SpaceChange, after, target_of

family = VerbGroup("Spaces")

_CHANGED = ("dry_run", "space", "name", "operation")


@family.verb("list", "each space with its state, coverage and index", keys=("spaces",))
def list_spaces(console: Console) -> None:
    found = [_fields(space) for space in Space.objects.order_by("pk")]
    heads = ("id", "space", "state", "width", "embedded", "articles", "index", "recipe")
    rows = [[each[head if head != "space" else "name"] for head in heads] for each in found]
    console.print_result({"spaces": found}, table(heads, rows, right=("id", "width", "embedded", "articles")))


def _fields(space: Space) -> dict[str, Any]:
    counted = coverage.of(space)
    return {
        "id": space.pk,
        "name": str(space),
        "state": space.state,
        "width": space.dimensions,
        "embedded": counted.current,
        "articles": counted.articles,
        "index": ann_index.stands(space),
        "recipe": space.fingerprint[:8],
    }


def _create_arguments(parser: Options) -> None:
    parser.add_argument(
        "provider", choices=["local", "openai", "ollama"], help="kind of provider: %(choices)s"
    )
    parser.add_argument("model", help="name of the model at the provider")
    parser.add_argument(
        "--dimensions",
        type=arguments.whole(0, 16_000),
        default=0,
        metavar="N",
        help="width of its vectors (default: the model's own)",
    )
    parser.add_argument(
        "--query-prefix",
        default=None,
        metavar="TEXT",
        help="text before each query (default: the model's own)",
    )
    parser.add_argument(
        "--document-prefix",
        default=None,
        metavar="TEXT",
        help="text before each chunk (default: the model's own)",
    )
    arguments.add_agreement(parser)
    arguments.add_reason(parser)


@family.verb(
    "create",
    "add a space for a new model; every save is embedded in it as well from now on, and no old text is",
    arguments=_create_arguments,
    keys=(*_CHANGED, "recipe", "estimate"),
)
def create(console: Console, *, yes: bool, dry_run: bool, reason: str, **model: Any) -> None:
    space = _new(**model)
    estimate = estimation.estimate(space, Article.objects.all())
    console.show(line(f"{space} responds, with vectors of {space.dimensions} numbers, in order."))
    console.show(*estimate_table.estimate(estimate))
    fields = {"name": str(space), "recipe": space.recipe, "estimate": estimate}
    change = f"create space {space}; from then on each save is embedded twice"
    if not console.agree(change, yes=yes, dry_run=dry_run):
        console.print_result({**fields, "dry_run": True, "space": None, "operation": None})
        return
    why = needed_reason(reason)
    operation = _refusing(lambda: space_changes.create(space, actor=console.actor, reason=why))
    console.print_result(
        {**fields, "dry_run": False, "space": space.pk, "operation": operation},
        line(f"Created: space {space.pk}, {space} (operation {operation})."),
        line(f"To embed the old texts: {manage('embed_migrate run')}. Then: {manage('spaces cutover')}."),
    )


def _new(provider: str, model: str, dimensions: int, **prefixes: str | None) -> Space:
    """The space to create, after its provider has responded. Raises Refused."""
    if modes.current() is not Mode.QUEUED:
        raise Refused(
            f"the mode is {modes.current()}: set it to queued first, with {manage('queue_admin mode')}"
        )
    try:
        space = space_changes.described(provider, model, dimensions, **prefixes)
        space_changes.refuse_new(space)
        space_changes.probe(space)
    except ImproperlyConfigured as error:
        raise Refused("the width of this model is not known: give it with --dimensions") from error
    except ChangeRefused as error:
        raise Refused(str(error)) from error
    return space


def _target_arguments(parser: Options) -> None:
    parser.add_argument(
        "--space", type=arguments.whole(1, 2**31 - 1), default=0, metavar="ID", help=_SPACE_HELP
    )
    arguments.add_agreement(parser)
    arguments.add_reason(parser)


_SPACE_HELP = "id of the space (default: the only one in a fitting state)"


def _gated_arguments(parser: Options) -> None:
    parser.add_argument(
        "--allow-missing",
        type=arguments.whole(0, 2**31 - 1),
        default=0,
        metavar="N",
        help="proceed although up to N articles have no vectors in it (default: 0); kept in the audit log",
    )
    _target_arguments(parser)


@family.verb(
    "cutover",
    "searches use the new space; the old one stays up to date, on standby",
    arguments=_gated_arguments,
    keys=(*_CHANGED, "missing", "problems"),
)
def cut_over(console: Console, **options: Any) -> Exit:
    return _serve(console, SpaceChange.CUT_OVER, **options)


@family.verb(
    "rollback",
    "searches use the space on standby again; the other one takes its place",
    arguments=_gated_arguments,
    keys=(*_CHANGED, "missing", "problems"),
)
def roll_back(console: Console, **options: Any) -> Exit:
    return _serve(console, SpaceChange.ROLL_BACK, **options)


def _serve(
    console: Console,
    kind: SpaceChange,
    *,
    space: int,
    allow_missing: int,
    yes: bool,
    dry_run: bool,
    reason: str,
) -> Exit:
    target = _target(kind, space)
    gate = space_changes.gate(target, allow_missing)
    fields = {
        "dry_run": dry_run,
        "space": target.pk,
        "name": str(target),
        "operation": None,
        "missing": gate.missing,
        "problems": gate.problems,
    }
    if gate.problems:
        console.print_result(
            fields, line(f"Space {target.pk} ({target}) cannot serve yet:"), *map(line, gate.problems)
        )
        return Exit.PARTLY
    if not console.agree(f"search in space {target.pk} ({target})", yes=yes, dry_run=dry_run):
        console.print_result(fields)
        return Exit.OK
    operation = _changed(console, kind, target, reason, missing=gate.missing)
    console.print_result(
        fields | {"operation": operation},
        line(f"Serving: space {target.pk}, {target} (operation {operation}). The other one is on standby."),
        line(f"To go back: {manage('spaces rollback')}. To end its upkeep: {manage('spaces retire')}."),
    )
    return Exit.OK


@family.verb(
    "retire",
    "end the upkeep of the space on standby, and remove its vectors and index",
    arguments=_target_arguments,
    keys=(*_CHANGED, "left"),
)
def retire(console: Console, **options: Any) -> Exit:
    return _end(console, SpaceChange.RETIRE, **options)


@family.verb(
    "cancel",
    "end a space that is being built, and remove its vectors and index",
    arguments=_target_arguments,
    keys=(*_CHANGED, "left"),
)
def cancel(console: Console, **options: Any) -> Exit:
    return _end(console, SpaceChange.CANCEL, **options)


def _end(console: Console, kind: SpaceChange, *, space: int, yes: bool, dry_run: bool, reason: str) -> Exit:
    target = _target(kind, space)
    fields = {"dry_run": dry_run, "space": target.pk, "name": str(target), "operation": None, "left": None}
    change = (
        f"retire space {target.pk} ({target}) and remove its {target.embeddings.count():,} vectors for good"
    )
    if not console.agree(change, yes=yes, dry_run=dry_run):
        console.print_result(fields)
        return Exit.OK
    operation = _changed(console, kind, target, reason)
    left = space_changes.clear(target)
    fields |= {"operation": operation, "left": left}
    if left.is_nothing:
        done = f"Retired: space {target.pk}, {target}; it has 0 vectors, 0 tasks and no index (operation {operation})."
        console.print_result(fields, line(done))
        return Exit.OK
    rest = (
        f"Retired, and left: {left.rows:,} vectors, {left.tasks:,} tasks in work. In a minute, run "
        f"{manage(f'spaces {kind} --space {target.pk} --yes')} --reason WHY."
    )
    console.print_result(fields, line(rest))
    return Exit.PARTLY


@family.verb(
    "index", "build the approximate index of a space that is being built or on standby", arguments=_target_arguments,
    keys=(*_CHANGED, "index"),
)  # fmt: skip
def index(console: Console, *, space: int, yes: bool, dry_run: bool, reason: str) -> Exit:
    target = _target_of_index(space)
    fields = {"dry_run": dry_run, "space": target.pk, "name": str(target), "operation": None}
    if not ann_index.is_wanted(target):
        too_small = f"needs none below {ann_index.WANTED_FROM_ROWS:,} chunks"
        has = "has its index" if ann_index.stands(target) else too_small
        console.print_result(fields | {"index": ann_index.stands(target)}, line(f"Space {target.pk} {has}."))
        return Exit.OK
    change = f"build the index of space {target.pk} ({target}) while searches and saves continue"
    if not console.agree(change, yes=yes, dry_run=dry_run):
        console.print_result(fields | {"index": False})
        return Exit.OK
    if not ann_index.build(target):
        raise Refused(f"another process is building the index of {target}", Exit.PARTLY)
    operation = space_changes.audit_index(target, actor=console.actor, reason=reason or "index built")
    console.print_result(
        fields | {"index": True, "operation": operation}, line(f"Built: {ann_index.name_of(target)}.")
    )
    return Exit.OK


def _target(kind: SpaceChange, named: int) -> Space:
    states = dict(Space.objects.order_by("pk").values_list("pk", "state"))
    try:
        chosen = named or target_of(kind, states)
        after(kind, states, chosen)  # before anything is said of what would be done
    except ChangeRefused as error:
        raise Refused(str(error)) from error
    return Space.objects.get(pk=chosen)


def _target_of_index(named: int) -> Space:
    """The space named, or the only one that receives and does not serve. Raises Refused."""
    living = list(Space.objects.receiving().order_by("pk"))
    able = [each for each in living if (each.pk == named if named else each.state != SpaceState.SERVING)]
    if len(able) != 1:
        listed = ", ".join(f"{each.pk} is {each.state}" for each in living)
        raise Refused(f"name the space whose index is to be built with --space: {listed}")
    return able[0]


def _changed(console: Console, kind: SpaceChange, target: Space, reason: str, **more: Any) -> UUID:
    why = needed_reason(reason)
    return _refusing(lambda: space_changes.change(kind, target.pk, actor=console.actor, reason=why, **more))


def _refusing(act: Callable[[], UUID]) -> UUID:
    try:
        return act()
    except ChangeRefused as error:
        raise Refused(str(error)) from error
