"""Verbs that explain one task, or why a search finds an article."""

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType

from articles.models import Article
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Refused
from queueops.cli.frame.tables import facts, line, table
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.cli.verbs.lists import COLOURS, moment, task_id
from queueops.models import Task
from queueops.monitoring import article_status, task_report
from queueops.monitoring.task_report import TaskReport

family = VerbGroup("Explanations", is_brief=True)


def _debug_arguments(parser: Options) -> None:
    parser.add_argument("id", type=task_id, metavar="ID", help="task id")


@family.verb(
    "debug",
    "everything about a task, and why it is not running",
    arguments=_debug_arguments,
    keys=tuple(TaskReport.__dataclass_fields__),
)
def debug(console: Console, *, id: int) -> None:
    try:
        report = task_report.of(id)
    except Task.DoesNotExist as missing:
        raise Refused(f"task {id} not found: it may have been removed, or its article deleted") from missing
    console.print_result(report.as_dict(), *_of_task(report))


def _of_task(report: TaskReport) -> Iterator[RenderableType]:
    task, article, vectors = report.task, report.article, report.vectors
    text = f"version {task.source_version}" if task.source_version else "unknown"
    newest = (
        "the current text" if task.is_newest_text else f"the article is at version {article.version_number}"
    )
    yield line(report.why, COLOURS.get(task.status, "bold"))
    yield ""
    yield facts([
        ("Task", task.id),
        ("Status", task.status + (f" ({task.outcome})" if task.outcome else "")),
        ("Priority", task.priority),
        ("Reason", task.reason or "unknown"),
        ("Attempts", f"{task.attempts} of {task.max_attempts}"),
        ("Text", f"{text}, {newest}"),
        ("Created", _utc(task.created_at)),
        ("Due", _utc(task.scheduled_at)),
        ("Last attempt", _utc(task.processed_at)),
        ("Ended", _utc(task.completed_at)),
        ("Held by", f"{task.claimed_by} until {_utc(task.lease_expires_at)}" if task.lease_expires_at else "nobody"),
        ("Error", ": ".join(part for part in (task.error_class, task.error_message) if part) or "none"),
        ("Article", f"{article.slug} (id {article.id}): {article.title}"),
        ("Vectors", _vectors(report)),
        *([("Progress", str(report.progress))] if report.progress else []),
        ("Space", f"{vectors.space} ({vectors.state})"),
        ("Other live tasks", ", ".join(map(str, report.others)) or "none"),
    ])  # fmt: skip
    yield ""
    if task.failed_attempts:
        failed = [[t.attempt, moment(t.at), t.error_class, t.error_message] for t in task.failed_attempts]
        yield table(("failed attempt", "when (UTC)", "error", "message"), failed)
        yield ""
    if report.audit:
        heads = ("when (UTC)", "level", "by", "event", "reason")
        rows = [
            [moment(e.timestamp), e.level, e.actor or e.category, e.message, e.reason] for e in report.audit
        ]
        yield table(heads, rows)
    else:
        yield "No entries in the audit log."


def _vectors(report: TaskReport) -> str:
    vectors = report.vectors
    if vectors.source_version is None:
        return "none"
    chunks = "1 chunk" if vectors.chunks == 1 else f"{vectors.chunks} chunks"
    state = "current" if vectors.is_current else "behind"
    return f"{chunks} of version {vectors.source_version}, {state}"


def _utc(time: Any) -> str:
    return f"{moment(time)} UTC" if time else "-"


def _explain_arguments(parser: Options) -> None:
    parser.add_argument("slug", metavar="SLUG", help="slug of the article")


@family.verb(
    "explain",
    "why a search by meaning finds an article or not",
    arguments=_explain_arguments,
    keys=("slug", "version_number", "mode", "paused", "why", "spaces"),
)
def explain_article(console: Console, *, slug: str) -> None:
    try:
        article = Article.objects.defer("content").by_slug(slug.replace("\x00", ""))
    except Article.DoesNotExist as error:
        raise Refused(f"article {slug!r} not found: give the slug of an article") from error
    explanation = article_status.explain(article)
    heads = ("space", "state", "chunks", "of version", "task", "why")
    rows = [
        [
            space["space"] + (" (serving)" if space["serving"] else ""),
            space["state"],
            space["chunks"],
            space["source_version"],
            space["task"] and f"{space['task']['id']} {space['task']['status']}",
            space["why"],
        ]
        for space in explanation["spaces"]
    ]
    console.print_result(
        explanation,
        line(explanation["why"], "bold"),
        *([table(heads, rows, ("chunks", "of version"))] if rows else []),
    )
