"""The audit log and the metrics in the admin, read-only."""

from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from lib.admin_base import BigTableAdmin, ReadOnly, row_id
from lib.visible_text import readable
from queueops.admin.installed_only import InstalledOnly
from queueops.models import AuditLog, Level, Metric


@admin.register(AuditLog)
class AuditLogAdmin(InstalledOnly, ReadOnly, BigTableAdmin):
    list_display = (
        "timestamp",
        "shown_level",
        "category",
        "message",
        "actor",
        "reason",
        "task_id",
        "operation",
    )
    list_filter = (("level", ChoicesDropdownFilter), ("timestamp", RangeDateTimeFilter))
    list_filter_submit = True
    ordering = ("-timestamp", "-id")
    sortable_by = ()
    search_fields = ("operation_id",)
    search_help_text = "task id or operation id"

    @display(description="level", label={Level.WARNING.value: "warning", Level.ERROR.value: "danger"})
    def shown_level(self, entry: AuditLog) -> str:
        return entry.level

    @display(description="reason")
    def reason(self, entry: AuditLog) -> str:
        reason = entry.metadata.get("reason", "") if isinstance(entry.metadata, dict) else ""
        return readable(str(reason)) or "-"

    @display(description="operation")
    def operation(self, entry: AuditLog) -> str:
        return str(entry.operation_id)[:8] if entry.operation_id else "-"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditLog], search_term: str
    ) -> tuple[QuerySet[AuditLog], bool]:
        return (queryset.filter(_about(search_term.strip())) if search_term else queryset), False


@admin.register(Metric)
class MetricAdmin(InstalledOnly, ReadOnly, BigTableAdmin):
    list_display = ("timestamp", "name", "value", "labels")
    list_filter = (("timestamp", RangeDateTimeFilter),)
    list_filter_submit = True
    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("name",)
    search_help_text = "exact name of the metric"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Metric], search_term: str
    ) -> tuple[QuerySet[Metric], bool]:
        return (queryset.filter(name=search_term.replace("\x00", "")) if search_term else queryset), False


def _about(term: str) -> Q:
    if (pk := row_id(term)) is not None:
        return Q(task_id=pk)
    try:
        return Q(operation_id=UUID(term))
    except ValueError:
        return Q(pk__in=[])
