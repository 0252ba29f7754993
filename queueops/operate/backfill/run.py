"""Begins a backfill, or resumes an interrupted one; only one can run at a time.

A migration is an operation (queueops/operate/operations/) whose rows are articles: its cursor moves with each batch, so
that a kill loses nothing, and `queue_admin operations` lists, resumes and stops it as it does any other.
"""

import contextlib
import os
import socket
from collections.abc import Iterator

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import Max

from articles.models import Article
from lib.manage_command import manage
from queueops.models import Operation, OperationStatus, Verb
from queueops.models.audit import needed_reason
from queueops.monitoring.article_filter import ArticleFilter
from queueops.operate.operations import OperationError

_ONE_BEGINS = "SELECT pg_advisory_xact_lock(hashtext('queueops.operate.backfill'))"
_NAME_SESSION = """
SELECT current_setting('application_name'), set_config('application_name', %s, false)
"""
_LONGEST_NAME = 63  # of a session: NAMEDATALEN - 1


@contextlib.contextmanager
def begun(scope: ArticleFilter, *, actor: str, reason: str, priority: str = "") -> Iterator[Operation]:
    """The operation, held for this session while it is entered: the one that was interrupted if it was about the same,
    otherwise a new one with its articles counted. `priority` is the lane, "" for a migration's own.

    Raises OperationError, with the name of the one that runs, when there is one; and ReasonMissing.
    """
    with _named_session():
        with transaction.atomic():
            _execute(_ONE_BEGINS)
            operation = _interrupted(scope, actor, priority) or _new(scope, actor, reason, priority)
        try:
            yield operation
        finally:
            with contextlib.suppress(DatabaseError, InterfaceError):  # it is released with its session anyway
                operation.leave()


def unfinished() -> list[Operation]:
    """Migrations that run or were interrupted."""
    return list(Operation.objects.running().filter(verb=Verb.MIGRATE).order_by("started_at"))


def _interrupted(scope: ArticleFilter, actor: str, priority: str) -> Operation | None:
    """The one to resume; other interrupted ones are ended: their remaining articles are still missing."""
    found = None
    for operation in unfinished():
        if not operation.attend():
            raise OperationError(_who_runs(operation))
        if found is None and (operation.scope, operation.priority) == (scope.as_json(), priority):
            found = operation
        else:
            operation.finish(OperationStatus.CANCELLED, by=actor)
            operation.leave()
    return found


def _new(scope: ArticleFilter, actor: str, reason: str, priority: str) -> Operation:
    found = scope.find()
    operation = Operation.objects.create(
        verb=Verb.MIGRATE,
        actor=actor,
        reason=needed_reason(reason),
        scope=scope.as_json(),
        priority=priority,
        total=found.articles,
        last_id=found.last_id,
        newest_article=Article.objects.aggregate(newest=Max("pk"))["newest"] or 0,
        is_stage=scope != ArticleFilter() and ArticleFilter().find().articles > found.articles,
    )
    operation.attend()
    return operation


def _who_runs(operation: Operation) -> str:
    session = operation.attendant() or "a session that is just ending"
    return (
        f"another migration runs: by {operation.actor} ({session}), since {operation.started_at:%Y-%m-%d %H:%M:%S} "
        f"UTC, {operation.changed:,} of {operation.total:,} articles queued. Wait for it, or stop it with: "
        f"{manage(f'queue_admin operations stop {operation.pk}')}"
    )


@contextlib.contextmanager
def _named_session() -> Iterator[None]:
    """Names this process in the server's list of sessions, for the message of a process that it keeps out."""
    name = f"embed_migrate, pid {os.getpid()} on {socket.gethostname()}"[:_LONGEST_NAME]
    before = _execute(_NAME_SESSION, name)
    try:
        yield
    finally:
        with contextlib.suppress(DatabaseError, InterfaceError):
            _execute(_NAME_SESSION, before)


def _execute(sql: str, *arguments: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        return str(cursor.fetchone()[0])
