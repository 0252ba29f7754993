"""Worker processes and the state of the queue in the admin, read-only."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, F, QuerySet
from django.db.models.functions import Extract, Now
from django.http import HttpRequest
from unfold.decorators import display

from lib.admin_base import ReadOnly
from lib.admin_lists import ForeignTextAdmin
from lib.durations import age
from lib.visible_text import readable
from queueops.admin.installed_only import InstalledOnly
from queueops.models import QueueState, Worker
from queueops.monitoring.snapshot_statement import ALIVE_WITHIN_SECONDS

_LABELS = {"running": "success", "stopped": "warning", "stops all": "warning", "silent": "danger"}


@admin.register(Worker)
class WorkerAdmin(InstalledOnly, ReadOnly, ForeignTextAdmin):
    list_display = (
        "shown_name",
        "state",
        "seen",
        "last_claim_at",
        "tasks_done",
        "tasks_failed",
        "started_at",
    )
    list_filter = ("is_running",)
    ordering = ("-last_seen_at", "-id")
    sortable_by = ()
    list_fullwidth = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Worker]:
        rows: QuerySet[Worker] = super().get_queryset(request)
        return rows.annotate(
            silent_for=Extract(Now() - F("last_seen_at"), "epoch"),
            is_braked=Exists(Worker.objects.braking_all()),
        )

    @display(description="worker")
    def shown_name(self, worker: Worker) -> str:
        return readable(str(worker))

    @display(description="state", label=_LABELS)
    def state(self, worker: Any) -> str:
        if not worker.name:
            return "running" if worker.is_running else "stops all"
        if worker.silent_for > ALIVE_WITHIN_SECONDS:
            return "silent"
        return "running" if worker.is_running and not worker.is_braked else "stopped"

    @display(description="last seen")
    def seen(self, worker: Any) -> str:
        return f"{age(float(worker.silent_for))} ago"


@admin.register(QueueState)
class QueueStateAdmin(InstalledOnly, ReadOnly, ForeignTextAdmin):
    list_display = ("__str__", "shown_mode", "reason", "changed_by", "changed_at", "swept_at")
    sortable_by = ()
    list_fullwidth = True

    @display(description="mode")
    def shown_mode(self, state: QueueState) -> str:
        return state.mode or "mode of the settings"
