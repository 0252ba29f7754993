"""An operation: one audited change of many tasks. The row is its progress, from which it resumes after a kill."""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models import Value
from django.db.models.functions import Now

from articles.models import Article
from queueops.models.audit import AuditLog, Category, Event
from queueops.models.task import Priority

# The result for a task that another session has locked: it is retried later.
BUSY = "busy"
# and for one that was changed
TAKEN = ""
MOVED_ON = "changed before its turn"


class Verb(models.TextChoices):
    REQUEUE = "requeue"
    CANCEL = "cancel"
    PRIORITIZE = "prioritize"
    CLEAR = "clear"
    RELEASE = "release"
    MIGRATE = "migrate"
    UNDO = "undo"

    @property
    def acted(self) -> str:
        """The participle for the audit log: "tasks requeued"."""
        return _PARTICIPLES[self]


_PARTICIPLES = {
    Verb.REQUEUE: "requeued",
    Verb.CANCEL: "cancelled",
    Verb.PRIORITIZE: "prioritized",
    Verb.CLEAR: "cleared",
    Verb.RELEASE: "released",
    Verb.MIGRATE: "queued",
    Verb.UNDO: "put back",
}


class OperationStatus(models.TextChoices):
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class OperationQuerySet(models.QuerySet["Operation"]):
    def newest_first(self) -> Self:
        return self.order_by("-started_at", "-id")

    def running(self) -> Self:
        return self.filter(status=OperationStatus.RUNNING)

    def newest_stage(self) -> "Operation | None":
        """The newest backfill, if it was one of several stages or was stopped: the sweep skips articles that existed at
        its start and never had a task."""
        migrations = self.filter(verb=Verb.MIGRATE).exclude(scope__has_key="only_failed")
        newest = migrations.newest_first().first()
        if newest and (newest.is_stage or newest.status == OperationStatus.CANCELLED):
            return newest
        return None


# Held by the session that runs the operation, so it is released when that process ends.
_LOCK = "hashtext('queueops.operate.operations'), hashtext(%s)"
_ATTENDANT = """
SELECT coalesce(nullif(application_name, ''), 'a session of another program')
FROM pg_locks l LEFT JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 2
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND classid = hashtext('queueops.operate.operations')::oid AND objid = hashtext(%s)::oid
"""


class Operation(models.Model):
    """`total` tasks (of a backfill: articles) were counted before the start, up to `last_id`; those up to `cursor` have
    been handled, except `passed_over`, which another session had locked at their turn. At the end `total` is `changed`
    + `skipped`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    verb = models.CharField(max_length=16, choices=Verb)
    actor = models.CharField(max_length=150)
    reason = models.TextField()
    scope = models.JSONField(default=dict, blank=True, help_text="the filter as it was given")
    priority = models.CharField(
        max_length=8,
        choices=Priority,
        blank=True,
        default="",
        help_text="what prioritize sets, and migrate gives",
    )
    undoes = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="undone_by"
    )
    status = models.CharField(
        max_length=16, choices=OperationStatus, default=OperationStatus.RUNNING, db_default="running"
    )
    total = models.PositiveBigIntegerField(default=0, db_default=0)
    changed = models.PositiveBigIntegerField(default=0, db_default=0)
    skipped = models.PositiveBigIntegerField(default=0, db_default=0)
    skips = models.JSONField(
        default=dict, blank=True, db_default=Value({}, models.JSONField()), help_text="why, and how many"
    )
    cursor = models.BigIntegerField(default=0, db_default=0)
    last_id = models.BigIntegerField(default=0, db_default=0)
    passed_over = ArrayField(models.BigIntegerField(), default=list, blank=True)
    is_stage = models.BooleanField(
        default=False, db_default=False, help_text="a migration that leaves articles to the next one"
    )
    newest_article = models.BigIntegerField(
        null=True, help_text="of a migration: the highest id of an article when it began"
    )
    started_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = OperationQuerySet.as_manager()

    class Meta:
        db_table = "embedding_operations"
        indexes = [
            # the newest operations
            models.Index(fields=["-started_at", "-id"], name="embedding_operations_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.id} ({self.status})"

    def was_there(self, article: Article) -> bool:
        """Whether the article existed when a backfill started; operations of older versions have only the time."""
        if self.newest_article is None:
            return article.created_at <= self.started_at
        return article.pk <= self.newest_article

    @property
    def is_running(self) -> bool:
        """Whether it has not ended; `state` says whether a process runs it."""
        return self.status == OperationStatus.RUNNING

    @property
    def is_through(self) -> bool:
        """Whether every task has had its turn; some may have been passed over."""
        return self.cursor >= self.last_id

    @property
    def progress(self) -> tuple[int, int, int]:
        """Differs after each batch."""
        return self.cursor, self.changed + self.skipped, len(self.passed_over)

    @property
    def state(self) -> str:
        """running, done or cancelled; or interrupted: it has not ended, and no process runs it."""
        return "interrupted" if self.is_running and not self.is_attended() else self.status

    def as_dict(self) -> dict[str, Any]:
        """The operation as CLI and REST report it."""
        reported = {name: getattr(self, name) for name in _REPORTED}
        return reported | {"state": self.state, "undoes": self.undoes_id}

    def is_attended(self) -> bool:
        """Whether a process runs it now."""
        return self.attendant() is not None

    def attendant(self) -> str | None:
        """The application name of the session that runs it; None if there is none."""
        with connection.cursor() as cursor:
            cursor.execute(_ATTENDANT, [str(self.pk)])
            found = cursor.fetchone()
            return str(found[0]) if found else None

    def attend(self) -> bool:
        """Takes it for this database session until `leave`; False if another session has it."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_try_advisory_lock({_LOCK})", [str(self.pk)])
            return bool(cursor.fetchone()[0])

    def leave(self) -> None:
        """Releases it for another session."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_unlock({_LOCK})", [str(self.pk)])

    def advance(self, ids: Sequence[int], results: Mapping[int, str], *, is_last: bool) -> None:
        """Records a batch: the result for each of `ids`, a reason for skipping, TAKEN or BUSY; a missing one is BUSY.

        `is_last`: no task is left after these.
        """
        given = [results.get(task_id, BUSY) for task_id in ids]
        busy = [task_id for task_id, result in zip(ids, given, strict=True) if result == BUSY]
        if not self.is_through:
            self.cursor = self.last_id if is_last else ids[-1]
            self.passed_over += busy
        else:
            turn = set(ids)
            self.passed_over = [task_id for task_id in self.passed_over if task_id not in turn] + busy
        why = Counter(result for result in given if result not in {TAKEN, BUSY})
        self.skips = dict(Counter(self.skips) + why)
        self.changed += given.count(TAKEN)
        self.skipped += why.total()
        self.updated_at = Now()

    def finish(self, status: OperationStatus, *, by: str) -> None:
        """Ends it and writes its audit row; `by` is the actor who ended it."""
        if status == OperationStatus.DONE:
            if (moved_on := self.total - self.changed - self.skipped) > 0:
                self.skips[MOVED_ON] = self.skips.get(MOVED_ON, 0) + moved_on
                self.skipped += moved_on
            self.total = self.changed + self.skipped
        self.status, self.finished_at = status, Now()
        self.save()
        AuditLog.objects.create(
            category=Category.OPERATOR,
            event=self.event,
            actor=by,
            operation_id=self.pk,
            message=self.message if status == OperationStatus.DONE else f"{self.message}, stopped midway",
            metadata={
                "reason": self.reason,
                "scope": self._audited_scope(),
                "tasks": self.changed,
                "skipped": self.skipped,
            },
        )

    @property
    def event(self) -> Event:
        """What the audit log says of each of its tasks, for programs."""
        return Event(Verb(self.verb).acted)

    @property
    def message(self) -> str:
        """The audit message, for the operation and for each of its tasks."""
        return f"tasks {Verb(self.verb).acted}"

    def _audited_scope(self) -> dict[str, Any]:
        more = {"priority_to": self.priority, "undoes": str(self.undoes_id or "")}
        return {"verb": self.verb, **self.scope, **{name: value for name, value in more.items() if value}}


_REPORTED = (
    "id", "verb", "actor", "reason", "scope", "priority", "total", "changed", "skipped", "skips",
    "started_at", "updated_at", "finished_at",
)  # fmt: skip
