"""The state of each provider in the admin, read-only (`queue_admin breaker --reset` resets it)."""

from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from unfold.decorators import display

from lib.admin_base import ReadOnly
from lib.admin_lists import ForeignTextAdmin
from queueops.admin.installed_only import InstalledOnly
from queueops.models import Breaker, ProviderState


@admin.register(ProviderState)
class ProviderStateAdmin(InstalledOnly, ReadOnly, ForeignTextAdmin):
    list_display = (
        "name",
        "shown_state",
        "failures",
        "opened_at",
        "retry_at",
        "blocked_until",
        "tokens_today",
        "last_error",
        "last_error_at",
    )
    ordering = ("name",)
    sortable_by = ()
    list_fullwidth = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderState]:
        rows: QuerySet[ProviderState] = super().get_queryset(request)
        return rows.annotate(is_blocked=ExpressionWrapper(Q(blocked_until__gt=Now()), BooleanField()))

    @display(
        description="state",
        label={"closed": "success", "rate limited": "warning", "half open": "warning", "open": "danger"},
    )
    def shown_state(self, row: Any) -> str:
        if row.breaker == Breaker.HALF_OPEN:
            return "half open"
        if row.breaker == Breaker.OPEN:
            return "open"
        return "rate limited" if row.is_blocked else "closed"
