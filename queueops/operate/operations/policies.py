"""What each verb goes through, and what it does to a batch of it: one small class per verb.

`of(operation)` returns its policy; no other code branches on the verb.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from lib import sql_arrays
from queueops.base.signals import tasks_ready
from queueops.engine import worker_loss
from queueops.engine.enqueue import Reason, enqueue
from queueops.models import AuditLog, Operation, Priority, Status, Task, Verb
from queueops.models.operation import BUSY, MOVED_ON, TAKEN
from queueops.models.task import TaskQuerySet
from queueops.monitoring.article_filter import ArticleFilter
from queueops.monitoring.task_filter import TaskFilter
from queueops.operate.operations import pacing, statements, undo_sql
from queueops.operate.operations.sql import GUARD, LOGGED_BY_TRIGGER, LOGGED_BY_US

LIVE = (Status.PENDING, Status.PROCESSING)


class Policy:
    """A verb on tasks. `statuses` are those it is for. `may` begins its statement where some tasks are passed over, and
    `change` ends it. `rings` says that workers have something to do afterwards. `seconds` is how long a batch should
    take, since others wait for its rows so long; `breath` is how long they get between two; `most` is how many rows a
    batch has at most; `id_name` is the column that its rows are handled by."""

    verb: Verb
    statuses: tuple[Status, ...] = ()
    may = ""
    change = ""
    rings = False
    can_be_undone = True
    seconds = pacing.AIM_SECONDS
    breath = pacing.BREATH_SECONDS
    most = pacing.MOST
    id_name = "pk"

    def candidates(self, operation: Operation) -> TaskQuerySet:
        """The tasks that the operation is about and can be done to."""
        wanted = TaskFilter.from_json(operation.scope)
        return wanted.tasks(operation.started_at).filter(status__in=self.statuses_of(wanted))

    def rows(self, operation: Operation) -> QuerySet[Any]:
        """What the operation goes through."""
        return self.candidates(operation)

    def perform(self, operation: Operation, task_ids: Sequence[int]) -> dict[int, str]:
        """Does it to these tasks, in the caller's transaction; for each, why not, or TAKEN, or BUSY."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"{LOGGED_BY_US}; {self.may}{self.change}; {LOGGED_BY_TRIGGER}",
                self._arguments(operation, task_ids),
            )
            cursor.nextset()
            outcomes = dict(cursor.fetchall())
        if left := [task_id for task_id in task_ids if task_id not in outcomes]:
            still = ids(operation, among=left)
            outcomes |= dict.fromkeys(left, MOVED_ON) | dict.fromkeys(still, BUSY)
        if self.rings and TAKEN in outcomes.values():
            tasks_ready.send(Task)
        return outcomes

    def passed_over(self, operation: Operation, task_ids: Sequence[int]) -> dict[int, str]:
        """Those of these tasks that `perform` would not change, and why; nothing is written."""
        if not self.may:
            return {}
        with connection.cursor() as cursor:
            cursor.execute(self.may + statements.ANSWERS, self._arguments(operation, task_ids))
            return {task_id: why for task_id, why in cursor.fetchall() if why not in {TAKEN, BUSY}}

    def statuses_of(self, wanted: TaskFilter) -> list[str]:
        """The verb's statuses, as far as the filter names them."""
        return [status.value for status in self.statuses if not wanted.statuses or status in wanted.statuses]

    def _arguments(self, operation: Operation, task_ids: Sequence[int]) -> dict[str, Any]:
        wanted = TaskFilter.from_json(operation.scope)
        return {
            "ids": sql_arrays.of_integers(task_ids),
            "statuses": self.statuses_of(wanted),
            "stuck": wanted.stuck,
            "is_named": wanted.names_tasks,
            "priority": operation.priority,
            "actor": operation.actor,
            "reason": operation.reason,
            "why": f"{self.verb.acted} by {operation.actor}: {operation.reason}",
            "event": operation.event,
            "message": operation.message,
            "operation": operation.pk,
            "undone": operation.undoes_id,
        } | worker_loss.arguments()


class Requeue(Policy):
    verb = Verb.REQUEUE
    statuses = (Status.FAILED, Status.CANCELLED)
    may, change = statements.MAY_REQUEUE, statements.REQUEUE
    rings = True

    def candidates(self, operation: Operation) -> TaskQuerySet:
        """Not what fails again meanwhile; a time ahead of now was written before, by another clock."""
        ended = Q(completed_at__isnull=True) | Q(completed_at__lte=operation.started_at)
        return super().candidates(operation).filter(ended | Q(completed_at__gt=Now()))


class Cancel(Policy):
    verb = Verb.CANCEL
    statuses = LIVE
    change = statements.CANCEL


class Prioritize(Policy):
    verb = Verb.PRIORITIZE
    statuses = LIVE
    change = statements.PRIORITIZE

    def candidates(self, operation: Operation) -> TaskQuerySet:
        """Not those that have the priority already."""
        return super().candidates(operation).exclude(priority=operation.priority)


class Clear(Policy):
    verb = Verb.CLEAR
    statuses = tuple(Status)
    may, change = statements.MAY_CLEAR, statements.CLEAR


class Release(Policy):
    verb = Verb.RELEASE
    statuses = (Status.PROCESSING,)
    change = statements.RELEASE
    rings = True
    can_be_undone = False


class Migrate(Policy):
    """Goes through articles, and its statement is that of enqueue. Only a session that changes the
    text of an article of the batch waits for it."""

    verb = Verb.MIGRATE
    rings = True
    seconds, breath, most = 0.5, 0.0, 10_000

    def rows(self, operation: Operation) -> QuerySet[Any]:
        """The articles that lack vectors."""
        return ArticleFilter.from_json(operation.scope).missing()

    def perform(self, operation: Operation, article_ids: Sequence[int]) -> dict[int, str]:
        """Makes their tasks."""
        priority = Priority(operation.priority) if operation.priority else None
        enqueue(article_ids, Reason.MIGRATION, priority, operation=operation.pk)
        return dict.fromkeys(article_ids, TAKEN)


class Undo(Policy):
    """Goes through the audit rows of what is undone."""

    verb = Verb.UNDO
    statuses = tuple(Status)
    may, change = undo_sql.MAY_UNDO, undo_sql.UNDO
    rings = True
    id_name = "task_id"

    def rows(self, operation: Operation) -> QuerySet[Any]:
        """One row per task that was changed."""
        return AuditLog.objects.filter(operation_id=operation.undoes_id)


class UndoMigrate(Cancel):
    """What a migration has queued is cancelled, since the sweep would only bring back what is removed."""

    id_name = "task_id"

    def rows(self, operation: Operation) -> QuerySet[Any]:
        """The tasks it has queued that have not ended."""
        queued = Task.objects.live().filter(metadata__operation=str(operation.undoes_id))
        return queued.annotate(task_id=F("pk"))


POLICIES: Mapping[Verb, Policy] = {
    each.verb: each for each in (Requeue(), Cancel(), Prioritize(), Clear(), Release(), Migrate(), Undo())
}
_UNDO_MIGRATE = UndoMigrate()


def of(operation: Operation) -> Policy:
    """The policy of an operation's verb."""
    if operation.undoes and operation.undoes.verb == Verb.MIGRATE:
        return _UNDO_MIGRATE
    return POLICIES[Verb(operation.verb)]


def ids(operation: Operation, *, after: int = 0, among: Sequence[int] | None = None) -> "QuerySet[Any, int]":
    """The ids of the tasks (articles, for a migration) that are to be handled, in their order, up to the operation's
    last."""
    policy = of(operation)
    name, rows = policy.id_name, policy.rows(operation)
    rows = rows.filter(**{f"{name}__gt": after})
    if operation.last_id:
        rows = rows.filter(**{f"{name}__lte": operation.last_id})
    if among is not None:
        rows = rows.filter(**{f"{name}__in": among})
    return rows.order_by(name).values_list(name, flat=True)


def guard() -> None:
    """Settings of the caller's transaction under which a batch is done."""
    with connection.cursor() as cursor:
        cursor.execute(GUARD)
