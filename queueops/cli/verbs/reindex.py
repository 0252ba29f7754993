"""The verb `reindex`: embeds articles again, or rebuilds the approximate index."""

import uuid
from typing import Any

from embeddings import recipes
from embeddings.models import Space
from embeddings.storage import ann_index
from lib.manage_command import manage
from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.tables import line
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.cli.verbs import estimate_table
from queueops.engine import modes
from queueops.models import AuditLog, Mode
from queueops.models.audit import tidy_reason
from queueops.monitoring.article_filter import ArticleFilter
from queueops.operate.backfill import estimation, reindexing

family = VerbGroup("Reindex")


def _arguments(parser: Options) -> None:
    arguments.add_article_filter(parser)
    parser.add_argument(
        "--index-only", action="store_true", help="rebuild the approximate index; embed nothing"
    )
    parser.add_argument(
        "--accept-recipe",
        action="store_true",
        help="re-embed all articles by the recipe of this process (prefixes, fields, chunks) where a space has another",
    )
    arguments.add_agreement(parser)
    arguments.add_reason(parser)


@family.verb(
    "reindex",
    "embed articles again, although their text has vectors",
    arguments=_arguments,
    keys=("dry_run", "index_only", "articles", "tasks", "operation", "estimates", "indexes"),
)
def reindex(
    console: Console,
    *,
    filters: list[Any],
    index_only: bool,
    accept_recipe: bool,
    yes: bool,
    dry_run: bool,
    reason: str,
) -> Exit:
    if accept_recipe and (filters or index_only):
        raise Refused("--accept-recipe re-embeds all articles: remove --filter and --index-only")
    if index_only:
        if filters:
            raise Refused("--filter does not apply to --index-only: an index has all articles of its space")
        return _index(console, yes=yes, dry_run=dry_run, reason=tidy_reason(reason) or "reindex")
    if modes.current() is Mode.DISABLED:
        raise Refused(f"embedding is disabled: set the mode first, with {manage('queue_admin mode')}")
    others = [space for space in Space.objects.receiving() if not recipes.fits(space)]
    if others and not accept_recipe:
        raise Refused(recipes.refusal(others[0]).rstrip("."))
    for space in others:
        console.show(line(f"Space {space} gets another recipe: {recipes.conflict(space)}."))
    scope = arguments.article_filter(filters)
    return _embed(console, scope, yes=yes, dry_run=dry_run, reason=tidy_reason(reason) or "reindex")


def _embed(console: Console, scope: ArticleFilter, *, yes: bool, dry_run: bool, reason: str) -> Exit:
    articles = scope.fitting()
    estimates = [estimation.estimate(space, articles) for space in Space.objects.receiving()]
    for estimate in estimates:
        console.show(*estimate_table.estimate(estimate))
    total, operation = articles.count(), uuid.uuid4()
    fields = _fields(dry_run=dry_run, articles=total, estimates=estimates)
    if not total and all(map(recipes.fits, Space.objects.receiving())):
        console.print_result(fields, "No article matches.")
        return Exit.OK
    change = f"embed {total:,} articles again in {len(estimates)} space(s) with low priority; searches still find them"
    if not console.agree(change, yes=yes, dry_run=dry_run):
        console.print_result(fields)
        return Exit.OK
    done = queued = 0
    reindexing.accept_recipes(operation, actor=console.actor, reason=reason)
    with console.progress("Enqueueing", total) as steps:
        for count, tasks in reindexing.batches(
            scope, actor=console.actor, reason=reason, operation=operation
        ):
            done, queued = done + count, queued + tasks
            steps.advance(count)
    console.print_result(
        fields | {"articles": done, "tasks": queued, "operation": operation},
        line(f"Articles: {done:,}; pending tasks for them: {queued:,} (operation {operation})."),
        line(
            f"To watch: {manage('queue_admin monitor')}. To stop: {manage('queue_admin cancel --task-reason reindex')}"
        ),
    )
    return Exit.OK


def _index(console: Console, *, yes: bool, dry_run: bool, reason: str) -> Exit:
    spaces = [
        space for space in Space.objects.receiving() if ann_index.stands(space) or ann_index.is_wanted(space)
    ]
    if not spaces:
        why = f"exact search is faster below {ann_index.WANTED_FROM_ROWS:,} chunks"
        console.print_result(
            _fields(dry_run=dry_run, index_only=True), f"No space has or needs an index: {why}."
        )
        return Exit.OK
    names = ", ".join(map(str, spaces))
    change = f"rebuild the approximate index of {names}; the current one stays in use meanwhile"
    if not console.agree(change, yes=yes, dry_run=dry_run):
        console.print_result(_fields(dry_run=dry_run, index_only=True))
        return Exit.OK
    built = []
    for space in spaces:
        if not (ann_index.rebuild(space) if ann_index.stands(space) else ann_index.build(space)):
            raise Refused(f"another process is building the index of {space}", Exit.PARTLY)
        built.append(ann_index.name_of(space))
    scope = {"verb": "reindex", "indexes": built}
    operation = AuditLog.write_operation("index rebuilt", actor=console.actor, reason=reason, scope=scope)
    fields = _fields(index_only=True, indexes=built, operation=operation)
    console.print_result(fields, line(f"Built: {', '.join(built)} (operation {operation})"))
    return Exit.OK


def _fields(**given: Any) -> dict[str, Any]:
    nothing = {"dry_run": False, "index_only": False, "articles": 0, "tasks": 0, "operation": None}
    return nothing | {"estimates": [], "indexes": []} | given
