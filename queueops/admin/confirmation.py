"""An action on selected tasks: a page that asks for confirmation and a reason, then the action. POST only."""

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

# An action runs within its request: this many tasks take seconds.
MAX_TASKS = 10_000


@dataclass(frozen=True)
class AdminAction:
    """`name` is the admin action's; `run` takes a filter, actor and reason."""

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
        error_messages={"required": "Give a reason; it is kept in the audit log."},
    )


def confirm(
    admin: Any, request: HttpRequest, tasks: QuerySet[Task], action: AdminAction
) -> HttpResponse | None:
    """Returns the confirmation page, or runs the action and returns None, which redirects to the list."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not request.user.has_perm(action.permission):
        raise PermissionDenied
    form = ReasonForm(request.POST if "confirmed" in request.POST else None)
    if form.is_valid():
        ids = tasks.filter(status__in=action.statuses).order_by("pk").values_list("pk", flat=True)
        possible = tuple(ids[: MAX_TASKS + 1])
        selected = TaskFilter(ids=possible[:MAX_TASKS])
        done = action.run(selected, actor=request.user.get_username(), reason=form.cleaned_data["reason"])
        message = _message(action, done, is_more=len(possible) > MAX_TASKS)
        messages.add_message(request, messages.SUCCESS if done.changed else messages.WARNING, message)
        return None
    return TemplateResponse(
        request, "admin/queueops/confirm.html", _context(admin, request, tasks, action, form)
    )


def _context(
    admin: Any, request: HttpRequest, tasks: QuerySet[Task], action: AdminAction, form: ReasonForm
) -> dict[str, Any]:
    wanted = tasks.order_by().values("pk")
    eligible = wanted.filter(status__in=action.statuses)[: MAX_TASKS + 1].count()
    chosen = wanted[: MAX_TASKS + 1].count()
    return {
        **admin.admin_site.each_context(request),
        "title": f"{action.verb} tasks",
        "opts": Task._meta,
        "media": admin.media,
        "action": action,
        "form": form,
        "eligible": min(eligible, MAX_TASKS),
        "is_more": eligible > MAX_TASKS,
        "skipped": chosen - eligible if chosen <= MAX_TASKS else 0,
        "statuses": " or ".join(action.statuses),
        "examples": tasks.filter(status__in=action.statuses).order_by("-pk").only("slug", "status")[:5],
        "checkbox": ACTION_CHECKBOX_NAME,
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "back": request.get_full_path(),
    }


def _message(action: AdminAction, done: Operation, *, is_more: bool) -> str:
    noun = "task" if done.changed == 1 else "tasks"
    message = f"{done.changed:,} {noun} {action.acted}."
    if done.skipped:
        message += (
            f" {done.skipped:,} skipped: changed meanwhile, or their article already has a pending task."
        )
    if is_more:
        message += " More tasks match: repeat the action for the rest."
    return f"{message} Audit log: operation {done.id}."
