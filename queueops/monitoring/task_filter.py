"""The task filter shared by shell, REST and admin, and stored with an operation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Self

from django.db.models import Q
from django.db.models.functions import Now

from embeddings.providers.errors import ErrorClass
from lib.nfc import nfc
from queueops.engine.enqueue import Reason
from queueops.models import Priority, Status, Task
from queueops.models.task import TaskQuerySet
from queueops.monitoring.open_failures import IS_OPEN

# Those of a provider, and what the sweep writes where a worker died.
ERROR_CLASSES = (*ErrorClass, "worker_lost")
UNKNOWN = "unknown"  # the name of the class of tasks that have none, as those failed by plain SQL


class SelectionError(ValueError):
    """An invalid filter; the message names the value and the valid ones."""


@dataclass(frozen=True)
class TaskFilter:
    """Tasks that match every given field; with none given, all.

    `ids` are task ids, `article` and `space` ids of theirs; `reason` is why the task was created; `older_than` and
    `newer_than` are its age since then; `stuck` are processing tasks whose lease has ended, `open` failed ones whose
    article's current text has no vectors. The error class UNKNOWN is that of tasks without one.
    """

    ids: tuple[int, ...] | None = None
    statuses: tuple[str, ...] = ()
    error_class: str = ""
    reason: str = ""
    priority: str = ""
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    space: int | None = None
    article: int | None = None
    slug: str = ""
    stuck: bool = False
    open: bool = False

    def __post_init__(self) -> None:
        for status in self.statuses:
            _refuse_unknown("status", status, Status.values)
        if self.priority:
            _refuse_unknown("priority", self.priority, Priority.values)

    @property
    def is_everything(self) -> bool:
        """Whether nothing was given."""
        return self == TaskFilter()

    @property
    def names_tasks(self) -> bool:
        """Whether it selects tasks by ids or status."""
        return bool(self.ids or self.statuses)

    def or_only(self, status: Status) -> Self:
        """Adds `status` as the default if neither ids nor statuses are given."""
        is_open = not self.statuses and self.ids is None
        return replace(self, statuses=(status.value,)) if is_open else self

    def tasks(self, now: datetime | Now) -> TaskQuerySet:
        """The tasks as of `now`: ages and leases are compared with this moment at every evaluation."""
        rows: TaskQuerySet = Task.objects.filter(*self._conditions(now))
        return rows

    def as_json(self) -> dict[str, Any]:
        """The given fields, for a JSON column; ages in seconds."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _plain(value) for name, value in given.items() if value != _DEFAULTS[name]}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """The filter that `as_json` wrote. Raises SelectionError for an unknown field."""
        if unknown := sorted(given.keys() - {field.name for field in fields(cls)}):
            raise SelectionError(f"unknown filter {unknown[0]!r}")
        values = dict(given)
        for name in {"ids", "statuses"} & values.keys():
            values[name] = tuple(values[name])
        for name in {"older_than", "newer_than"} & values.keys():
            values[name] = timedelta(seconds=values[name])
        return cls(**values)

    def __str__(self) -> str:
        """In words, for instance "status failed, error class auth"; empty for everything."""
        given = {name: getattr(self, name) for name in self.as_json()}
        return ", ".join(
            f"{name.replace('_', ' ')} {_as_text(value)}".strip() for name, value in given.items()
        )

    def _conditions(self, now: datetime | Now) -> list[Q]:
        given: list[tuple[Any, Q]] = [
            (self.ids is not None, Q(pk__in=self.ids or ())),
            (self.statuses, Q(status__in=self.statuses)),
            (self.error_class, Q(error_class__in=_stored(self.error_class))),
            (self.reason, Q(metadata__reason=self.reason)),
            (self.priority, Q(priority=self.priority)),
            (self.older_than, Q(created_at__lt=now - (self.older_than or timedelta()))),
            (self.newer_than, Q(created_at__gte=now - (self.newer_than or timedelta()))),
            (self.space, Q(space=self.space)),
            (self.article, Q(article=self.article)),
            (self.slug, Q(article__slug__in={self.slug, nfc(self.slug)})),
            (self.open, IS_OPEN),
            (self.stuck, Q(status=Status.PROCESSING, lease_expires_at__lt=now)),
        ]
        return [condition for is_given, condition in given if is_given]


def refuse_unknown_words(selection: TaskFilter) -> None:
    """Raises SelectionError for an error class or a reason that is neither known nor that of any task: plain SQL and
    imports may write others."""
    asked = (
        ("error class", selection.error_class, (*ERROR_CLASSES, UNKNOWN), "error_class"),
        ("task reason", selection.reason, Reason.values, "metadata__reason"),
    )
    for what, given, known, column in asked:
        if given and given not in known and not Task.objects.filter(**{column: given}).exists():
            _refuse_unknown(what, given, known)


def _stored(error_class: str) -> tuple[str, ...]:
    return (error_class, "") if error_class == UNKNOWN else (error_class,)


def _refuse_unknown(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise SelectionError(f"unknown {what} {value!r}; known: {', '.join(known)}")


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return list(value) if isinstance(value, tuple) else value


def _as_text(value: Any) -> str:
    if isinstance(value, tuple):
        shown = ", ".join(map(str, value[:_SHOWN]))
        return f"{shown} and {len(value) - _SHOWN:,} more" if len(value) > _SHOWN else shown
    return "" if value is True else str(value)


_SHOWN = 5
_DEFAULTS = {field.name: field.default for field in fields(TaskFilter)}
