"""An act on selected tasks: first a page that says what will happen and asks for a reason, then the act. POST only."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminTextInputWidget

from queueops.models import Operation, Status, Task
from queueops.models.audit import MAX_REASON
from queueops.monitoring.task_filter import TaskFilter

# An act from a page is over before the page is answered: enough for an afternoon's failures, done in seconds.
MAX_TASKS = 10_000


@dataclass(frozen=True)
class AdminAction:
    """`name` is the admin action's; `run` takes a selection, actor and reason."""

    name: str
    permission: str
    verb: str
    acted: str
    statuses: tuple[Status, ...]
    explanation: str
    run: Callable[..., Operation]


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=MAX_REASON,
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True, "autocomplete": "off"}),
        help_text="Kept in the audit log with your name.",
        error_messages={"required": "Give a reason: whoever reads the audit log later will ask for it."},
    )


def confirm(admin: Any, request: HttpRequest, tasks: QuerySet[Task], act: AdminAction) -> HttpResponse | None:
    """Answers the page that asks, or does the act and answers None, which leads back to the list."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not request.user.has_perm(act.permission):
        raise PermissionDenied
    form = ReasonForm(request.POST if "confirmed" in request.POST else None)
    if form.is_valid():
        ids = tasks.filter(status__in=act.statuses).order_by("pk").values_list("pk", flat=True)
        possible = tuple(ids[: MAX_TASKS + 1])
        first = TaskFilter(ids=possible[:MAX_TASKS])
        done = act.run(first, actor=request.user.get_username(), reason=form.cleaned_data["reason"])
        told = _told(act, done, is_more=len(possible) > MAX_TASKS)
        messages.add_message(request, messages.SUCCESS if done.changed else messages.WARNING, told)
        return None
    return TemplateResponse(
        request, "admin/queueops/confirm.html", _context(admin, request, tasks, act, form)
    )


def _context(
    admin: Any, request: HttpRequest, tasks: QuerySet[Task], act: AdminAction, form: ReasonForm
) -> dict[str, Any]:
    wanted = tasks.order_by().values("pk")
    eligible = wanted.filter(status__in=act.statuses)[: MAX_TASKS + 1].count()
    chosen = wanted[: MAX_TASKS + 1].count()
    return {
        **admin.admin_site.each_context(request),
        "title": f"{act.verb} tasks",
        "opts": Task._meta,
        "media": admin.media,
        "act": act,
        "form": form,
        "eligible": min(eligible, MAX_TASKS),
        "is_more": eligible > MAX_TASKS,
        "left_alone": chosen - eligible if chosen <= MAX_TASKS else 0,
        "statuses": " or ".join(act.statuses),
        "examples": tasks.filter(status__in=act.statuses).order_by("-pk").only("slug", "status")[:5],
        "checkbox": ACTION_CHECKBOX_NAME,
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "back": request.get_full_path(),
    }


def _told(act: AdminAction, done: Operation, *, is_more: bool) -> str:
    noun = "task" if done.changed == 1 else "tasks"
    told = f"{done.changed:,} {noun} {act.acted}."
    if done.skipped:
        told += f" {done.skipped:,} skipped: they changed meanwhile, or their article already waits."
    if is_more:
        told += " More tasks match; do it again for the next ones."
    return f"{told} Audit log: operation {done.id}."
