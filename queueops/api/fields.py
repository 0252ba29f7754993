"""Fields of requests about the queue: the selected tasks, and the reason for a change."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal, Self, cast
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from ninja import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from articles import limits
from articles.api.schemas import VISIBLE, WITHOUT_NUL, Request, WholeNumber, checked
from queueops.models.audit import EVENTS, MAX_REASON
from queueops.monitoring.audit_list import AuditFilter
from queueops.monitoring.operation_list import VERBS, OperationFilter
from queueops.monitoring.task_filter import TaskFilter

MAX_ID = 2**63 - 1
MAX_IDS = 1_000
MAX_WORD = 100
MAX_PAGE = 200
MAX_AGE_SECONDS = 100 * 365 * 86_400
_MAX_ACTOR = 150

type StatusName = Literal["pending", "processing", "completed", "failed", "cancelled"]
type PriorityName = Literal["low", "normal", "high"]


def check_reason(reason: str) -> None:
    """Raises ValidationError for an empty or too long reason."""
    if not reason.strip():
        raise ValidationError("reason is empty; say why, for the audit log")
    _check_text("reason", reason, MAX_REASON)


def _check_text(name: str, text: str, most: int) -> None:
    if not text or len(text) > most:
        raise ValidationError(f"{name} must have 1 to {most:,} characters (it has {len(text):,})")
    if "\x00" in text:
        raise ValidationError(f"{name} contains the character '\\x00', which is not allowed")


def _bounded(name: str, most: int) -> AfterValidator:
    def check(text: str) -> None:
        _check_text(name, text, most)

    return checked(check)


def _one_of(name: str, words: Sequence[str]) -> AfterValidator:
    def check(text: str) -> None:
        if text not in words:
            raise ValidationError(f"invalid {name} {text!r}: use one of {', '.join(words)}")

    return checked(check)


def _check_slug(slug: str) -> None:
    _check_text("slug", slug, limits.MAX_SLUG)


def _schema(most: int, description: str) -> Any:
    """The same limits in JSON Schema."""
    schema: dict[str, Any] = {"minLength": 1, "maxLength": most, "pattern": WITHOUT_NUL}
    return Field(description=description, json_schema_extra=schema)


_ErrorClass = Annotated[str, _bounded("error_class", MAX_WORD), _schema(MAX_WORD, "error class")]
_MadeFor = Annotated[
    str,
    _bounded("reason", MAX_WORD),
    _schema(MAX_WORD, "why the task was created: edit, import, migration, …"),
]
_Slug = Annotated[str, checked(_check_slug), _schema(limits.MAX_SLUG, "slug of its article")]


def _check_id(number: int) -> None:
    if not 1 <= number <= MAX_ID:
        raise ValidationError(f"invalid id {number:,}: use a whole number from 1 to {MAX_ID:,}")


_Id = Annotated[WholeNumber, checked(_check_id), Field(json_schema_extra={"minimum": 1, "maximum": MAX_ID})]
_Verb = Annotated[str, _one_of("verb", VERBS), Field(json_schema_extra={"enum": list(VERBS)})]
_Event = Annotated[str, _one_of("event", EVENTS), Field(json_schema_extra={"enum": list(EVENTS)})]
# In a query string it is a word. False would select every task, so it cannot be given.
_True = Annotated[Literal[True], BeforeValidator(lambda given: True if given == "true" else given)]
# Pydantic leaves the limits of a number with a check of its own out of the schema.
_AgeInSeconds = Annotated[
    WholeNumber,
    Field(ge=1, le=MAX_AGE_SECONDS, json_schema_extra={"minimum": 1, "maximum": MAX_AGE_SECONDS}),
]
_Actor = Annotated[str, _bounded("actor", _MAX_ACTOR), _schema(_MAX_ACTOR, "name of the operator")]
_Limit = Annotated[int, Field(ge=1, le=MAX_PAGE)]
TaskInPath = Annotated[int, Path(ge=1, le=MAX_ID, description="task id")]
Reason = Annotated[
    str,
    checked(check_reason),
    Field(
        description="why; kept in the audit log",
        json_schema_extra={"minLength": 1, "maxLength": MAX_REASON, "pattern": VISIBLE},
    ),
]


def _nothing() -> Any:
    """A default that the schema does not show: the field may be omitted, but not null."""
    return ""


class _Narrowing(BaseModel):
    """Tasks that match every given field."""

    status: list[StatusName] = Field(default_factory=list, max_length=5)
    error_class: _ErrorClass = Field(default_factory=str)
    reason: _MadeFor = Field(default_factory=str)
    priority: PriorityName = Field(default_factory=_nothing)
    older_than_seconds: _AgeInSeconds = Field(default_factory=int, description="created longer ago than this")
    newer_than_seconds: _AgeInSeconds = Field(
        default_factory=int, description="created more recently than this"
    )
    space: _Id = Field(default_factory=int, description="id of its embedding space")
    slug: _Slug = Field(default_factory=str)
    open: _True = Field(
        default_factory=_nothing, description="failed, and the article's current text has no vectors"
    )

    def selection(self, ids: tuple[int, ...] | None = None) -> TaskFilter:
        """The same filter as in the command line, the admin and operations."""
        return TaskFilter(
            ids=ids,
            statuses=tuple(self.status),
            error_class=self.error_class,
            reason=self.reason,
            priority=self.priority,
            older_than=_age(self.older_than_seconds),
            newer_than=_age(self.newer_than_seconds),
            space=self.space or None,
            slug=self.slug,
            open=bool(self.open),
        )


def _age(seconds: int) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds else None


class TasksAsked(_Narrowing):
    """The tasks to list, and where to continue."""

    model_config = ConfigDict(extra="forbid")

    after: _Id = Field(default_factory=int, description="the `next` of the page before")
    limit: _Limit = 50


class OperationsAsked(BaseModel):
    """The operations to list, and where to continue."""

    model_config = ConfigDict(extra="forbid")

    verb: _Verb = Field(default_factory=str)
    actor: _Actor = Field(default_factory=str)
    newer_than_seconds: _AgeInSeconds = Field(
        default_factory=int, description="started more recently than this"
    )
    after: UUID = Field(default_factory=_nothing, description="the `next` of the page before")
    limit: _Limit = 50

    def selection(self) -> OperationFilter:
        return OperationFilter(verb=self.verb, actor=self.actor, newer_than=_age(self.newer_than_seconds))


class AuditAsked(BaseModel):
    """The audit entries to list, and where to continue. Sign-ins are not among them."""

    model_config = ConfigDict(extra="forbid")

    level: Literal["info", "warning", "error"] = Field(default_factory=_nothing)
    category: Literal["operator", "engine", "sweep"] = Field(default_factory=_nothing)
    event: _Event = Field(default_factory=str)
    actor: _Actor = Field(default_factory=str)
    operation: UUID = Field(default_factory=_nothing, description="id of an operation")
    task: _Id = Field(default_factory=int, description="id of a task")
    newer_than_seconds: _AgeInSeconds = Field(
        default_factory=int, description="written more recently than this"
    )
    after: _Id = Field(default_factory=int, description="the `next` of the page before")
    limit: _Limit = 50

    def selection(self) -> AuditFilter:
        return AuditFilter(
            level=self.level,
            category=self.category,
            event=self.event,
            actor=self.actor,
            operation=self.operation or None,
            task=self.task or None,
            newer_than=_age(self.newer_than_seconds),
            without_access=True,
        )


class Filter(_Narrowing):
    """Tasks that match every given field; one is required. `all` selects every task that the verb applies to."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"minProperties": 1})

    all: Literal[True] = Field(default_factory=_nothing)
    ids: list[_Id] = Field(default_factory=list, min_length=1, max_length=MAX_IDS)

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if not self.model_fields_set:
            raise ValueError('filter is empty; give a field, or {"all": true}')
        return self


class Why(Request):
    """The reason for a change."""

    reason: Reason


class BulkRequest(Why):
    """The tasks to change. A `dry_run` counts them and changes nothing."""

    filter: Filter
    dry_run: bool = False


class Prioritize(BulkRequest):
    """The new priority of the tasks."""

    priority: PriorityName


class Undo(Why):
    """The reason for undoing an operation."""

    dry_run: bool = False


class NewMode(Why):
    """The mode of the installation; `environment`: the mode of its settings."""

    mode: Literal["queued", "synchronous", "disabled", "environment"]


def actor(request: HttpRequest) -> str:
    """The token's name, for the audit log."""
    return str(cast(Any, request).auth.name)[:_MAX_ACTOR]
