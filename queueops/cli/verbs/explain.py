"""Verbs that explain one thing: a task's whole story, and why an article is or is not found."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType

from articles.models import Article
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Refused
from queueops.cli.frame.tables import facts, line, table
from queueops.cli.frame.verb import VerbGroup
from queueops.cli.verbs.lists import COLOURS, moment, task_id
from queueops.models import Task
from queueops.monitoring import article_status, task_report
from queueops.monitoring.task_report import TaskReport

family = VerbGroup("Explaining", is_brief=True)


def _debug_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=task_id, metavar="ID", help="the task's id")


@family.verb(
    "debug",
    "a task's whole story, and why it is not running",
    arguments=_debug_arguments,
    keys=tuple(TaskReport.__dataclass_fields__),
)
def debug(console: Console, *, id: int) -> None:
    try:
        told = task_report.of(id)
    except Task.DoesNotExist as missing:
        raise Refused(f"there is no task {id}: it may have been removed, or its article deleted") from missing
    console.answer(told.as_dict(), *_of_task(told))


def _of_task(told: TaskReport) -> Iterator[RenderableType]:
    task, article, vectors = told.task, told.article, told.vectors
    text = f"version {task.source_version}" if task.source_version else "unknown"
    newest = (
        "the present text" if task.is_newest_text else f"the article is at version {article.version_number}"
    )
    yield line(told.why, COLOURS.get(task.status, "bold"))
    yield ""
    yield facts([
        ("Task", task.id),
        ("Status", task.status + (f" ({task.outcome})" if task.outcome else "")),
        ("Priority", task.priority),
        ("Made for", task.reason or "an unknown reason"),
        ("Attempts", f"{task.attempts} of {task.max_attempts}"),
        ("Text", f"{text}, {newest}"),
        ("Created", _utc(task.created_at)),
        ("Due", _utc(task.scheduled_at)),
        ("Last attempt", _utc(task.processed_at)),
        ("Ended", _utc(task.completed_at)),
        ("Held by", f"{task.claimed_by} until {_utc(task.lease_expires_at)}" if task.lease_expires_at else "nobody"),
        ("Error", ": ".join(part for part in (task.error_class, task.error_message) if part) or "none"),
        ("Article", f"{article.slug} (id {article.id}): {article.title}"),
        ("Vectors", _vectors(told)),
        ("Space", f"{vectors.space} ({vectors.state})"),
        ("Other live tasks", ", ".join(map(str, told.others)) or "none"),
    ])  # fmt: skip
    yield ""
    if task.failed_attempts:
        failed = [[t.attempt, moment(t.at), t.error_class, t.error_message] for t in task.failed_attempts]
        yield table(("failed attempt", "when (UTC)", "error", "what it said"), failed)
        yield ""
    if told.audit:
        heads = ("when (UTC)", "level", "who", "what", "reason")
        rows = [
            [moment(e.timestamp), e.level, e.actor or e.category, e.message, e.reason] for e in told.audit
        ]
        yield table(heads, rows)
    else:
        yield "Nothing is written about it in the audit log."


def _vectors(told: TaskReport) -> str:
    vectors = told.vectors
    if vectors.source_version is None:
        return "none"
    passages = "1 passage" if vectors.chunks == 1 else f"{vectors.chunks} passages"
    state = "current" if vectors.is_current else "behind"
    return f"{passages} of version {vectors.source_version}, {state}"


def _utc(time: Any) -> str:
    return f"{moment(time)} UTC" if time else "-"


def _explain_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("slug", metavar="SLUG", help="the article's slug")


@family.verb(
    "explain",
    "why a search by meaning finds an article, or does not",
    arguments=_explain_arguments,
    keys=("slug", "version_number", "mode", "paused", "why", "spaces"),
)
def explain_article(console: Console, *, slug: str) -> None:
    article = Article.objects.defer("content").filter(slug=slug.replace("\x00", "")).first()
    if article is None:
        raise Refused(f"there is no article with the slug {slug!r}")
    told = article_status.explain(article)
    heads = ("space", "state", "passages", "of version", "task", "why")
    rows = [
        [
            space["space"] + (" (serving)" if space["serving"] else ""),
            space["state"],
            space["chunks"],
            space["source_version"],
            space["task"] and f"{space['task']['id']} {space['task']['status']}",
            space["why"],
        ]
        for space in told["spaces"]
    ]
    console.answer(
        told, line(told["why"], "bold"), *([table(heads, rows, ("passages", "of version"))] if rows else [])
    )
