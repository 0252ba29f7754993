"""The list of tasks, and its actions: requeue and cancel."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from articles.admin import articles_like
from lib.admin_base import BigTableAdmin, ReadOnly, row_id
from lib.durations import age
from lib.visible_text import readable
from queueops.admin.confirmation import AdminAction, confirm
from queueops.admin.installed_only import InstalledOnly
from queueops.models import Status, Task, Verb
from queueops.monitoring.open_failures import IS_OPEN
from queueops.operate import operations

REQUEUE = AdminAction(
    name="requeue_tasks",
    permission="queueops.requeue_task",
    verb="Requeue",
    acted="requeued",
    statuses=operations.POLICIES[Verb.REQUEUE].statuses,
    explanation=(
        "Failed and cancelled tasks become pending again, with all their attempts. "
        "A task whose article already has a pending task is skipped."
    ),
    run=operations.requeue,
)
CANCEL = AdminAction(
    name="cancel_tasks",
    permission="queueops.cancel_task",
    verb="Cancel",
    acted="cancelled",
    statuses=operations.POLICIES[Verb.CANCEL].statuses,
    explanation=(
        "Pending tasks are cancelled. Tasks in progress are cancelled too, and their results discarded. "
        "Articles do not change; searches find their last embedded text."
    ),
    run=operations.cancel,
)
LABELS = {
    Status.PENDING.value: "info",
    Status.PROCESSING.value: "warning",
    Status.COMPLETED.value: "success",
    Status.FAILED.value: "danger",
}
_NEWEST = 1_000
OPEN_COUNT_LIMIT = 1_000


class ErrorClassFilter(DropdownFilter):
    """The error classes of the newest failures; a list of all classes would read the whole table."""

    title = "error"
    parameter_name = "error"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        newest = Task.objects.failed().newest_first().values("error_class")[:_NEWEST]
        kinds = sorted({row["error_class"] for row in newest} - {""})
        return [(kind, readable(kind.replace("_", " "))) for kind in kinds]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        known = {kind for kind, _ in self.lookup_choices}
        return queryset.filter(error_class=self.value()) if self.value() in known else queryset


class OpenFailureFilter(DropdownFilter):
    """Failures that still matter, and those that do not."""

    title = "failure"
    parameter_name = "failure"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "open: the current text has no vectors"), ("not_open", "no longer open")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        match self.value():
            case None:
                return queryset
            case "open":
                return queryset.filter(IS_OPEN)
            case "not_open":
                return queryset.filter(~IS_OPEN, status=Status.FAILED)
            case _:
                return queryset.none()


@admin.register(Task)
class TaskAdmin(InstalledOnly, ReadOnly, BigTableAdmin):
    list_display = (
        "id",
        "shown_slug",
        "shown_status",
        "priority",
        "shown_attempts",
        "shown_age",
        "next_run",
        "error_class",
        "claimed_by",
    )
    list_display_links = ("id", "shown_slug")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("priority", ChoicesDropdownFilter),
        ("outcome", ChoicesDropdownFilter),
        ErrorClassFilter,
        OpenFailureFilter,
        "space",
        ("completed_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    ordering = ("-id",)
    sortable_by = ("id",)
    search_fields = ("slug",)
    search_help_text = "task id, article id, or the start of an article's slug"
    kept_off_lists = ("error_message", "metadata")
    actions = ("requeue_tasks", "cancel_tasks")
    fieldsets = (
        (None, {"fields": ("article_link", "space", "status", "priority", "why", "outcome")}),
        ("Attempts", {"fields": ("shown_attempts", "error_class", "error_message", "source_version")}),
        ("Times", {"fields": ("created_at", "scheduled_at", "processed_at", "completed_at")}),
        ("Held by", {"fields": ("claimed_by", "lease_expires_at")}),
        ("Records", {"fields": ("audit_link",)}),
    )
    readonly_fields = ("article_link", "shown_attempts", "why", "audit_link")

    @display(description="article")
    def shown_slug(self, task: Task) -> str:
        return readable(task.slug) or f"article {task.article_id}"

    @display(description="status", label=LABELS)
    def shown_status(self, task: Task) -> str:
        return task.status

    @display(description="attempts")
    def shown_attempts(self, task: Task) -> str:
        return f"{task.attempts} of {task.max_attempts}"

    @display(description="age")
    def shown_age(self, task: Any) -> str:
        return age((task.read_at - task.created_at).total_seconds())

    @display(description="next run")
    def next_run(self, task: Any) -> str:
        if task.status != Status.PENDING:
            return "-"
        wait = (task.scheduled_at - task.read_at).total_seconds()
        return f"in {age(wait)}" if wait > 0 else "due"

    @display(description="reason")
    def why(self, task: Task) -> str:
        return task.reason or "-"

    @display(description="article")
    def article_link(self, task: Task) -> str:
        url = reverse("admin:articles_article_change", args=[task.article_id])
        return format_html('<a href="{}">{}</a>', url, readable(task.slug) or task.article_id)

    @display(description="audit log")
    def audit_link(self, task: Task) -> str:
        url = reverse("admin:queueops_auditlog_changelist", query={"q": task.pk})
        return format_html('<a href="{}">entries about this task</a>', url)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        rows: QuerySet[Task] = super().get_queryset(request)
        return rows.annotate(read_at=Now())

    def get_paginator(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Counts less far where each row takes several index probes."""
        paginator = super().get_paginator(request, *args, **kwargs)
        if OpenFailureFilter.parameter_name in request.GET:
            paginator.count_limit = OPEN_COUNT_LIMIT
        return paginator

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Task], search_term: str
    ) -> tuple[QuerySet[Task], bool]:
        if not search_term:
            return queryset, False
        # two conditions, each with its index; joined by OR they would scan the table
        of_articles = Task.objects.filter(article__in=articles_like(search_term)).values("pk")
        itself = Task.objects.filter(pk=row_id(search_term) or 0).values("pk")
        return queryset.filter(pk__in=of_articles.union(itself)), False

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(REQUEUE.permission)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(CANCEL.permission)

    @admin.action(description="Requeue selected tasks", permissions=["requeue"])
    def requeue_tasks(self, request: HttpRequest, queryset: QuerySet[Task]) -> HttpResponse | None:
        return confirm(self, request, queryset, REQUEUE)

    @admin.action(description="Cancel selected tasks", permissions=["cancel"])
    def cancel_tasks(self, request: HttpRequest, queryset: QuerySet[Task]) -> HttpResponse | None:
        return confirm(self, request, queryset, CANCEL)
