"""The status panel on the admin's index page."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from lib.durations import age
from queueops.models import Status
from queueops.monitoring import health, snapshot
from queueops.monitoring.snapshot import COUNT_LIMIT, Snapshot

VERDICTS = {"ok": ("success", "Healthy"), "degraded": ("warning", "Degraded"), "down": ("danger", "Down")}


def add_status(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Called by the theme with the index page's context; adds the panel for users who may view tasks."""
    if request.user.has_perm("queueops.view_task"):
        now = snapshot.take()
        judged = health.judge(now)
        tone, verdict = VERDICTS[judged.condition]
        context["panel"] = {
            "health": judged,
            "tone": tone,
            "verdict": verdict,
            "snapshot": now,
            "figures": _figures(now),
            "articles": f"{now.articles:,}",
            "embedded": f"{now.embedded:,}",
            "percent": f"{int(now.coverage * 1000) / 10:g}",  # rounded down: 100 means all
        }
    return context


def _figures(now: Snapshot) -> list[dict[str, str]]:
    waiting = "no task is due" if now.oldest_due_age is None else f"oldest due for {age(now.oldest_due_age)}"
    claim = "no claim yet" if now.last_claim_age is None else f"last claim {age(now.last_claim_age)} ago"
    return [
        _figure("Pending", number(now.tasks[Status.PENDING]), waiting, _tasks("pending")),
        _figure("Processing", number(now.tasks[Status.PROCESSING]), claim, _tasks("processing")),
        _figure(
            "Failed",
            f"{number(now.failed_open)} open" if now.tasks[Status.FAILED] else "0",
            f"{number(now.tasks[Status.FAILED])} in all, {number(now.failed_1h)} in the last hour",
            reverse(
                "admin:queueops_task_changelist",
                query={"failure": "open"} if now.failed_open else {"status__exact": "failed"},
            ),
        ),
        _figure(
            "Completed in 5 minutes",
            number(now.completed_5m),
            f"{number(now.completed_1h)} in an hour",
            _tasks("completed"),
        ),
        _figure(
            "Workers",
            health.workers_in_words(now),
            f"mode: {now.mode}",
            reverse("admin:queueops_worker_changelist"),
        ),
    ]


def _figure(title: str, value: str, note: str, link: str) -> dict[str, str]:
    return {"title": title, "value": value, "note": note, "link": link}


def _tasks(status: str) -> str:
    return reverse("admin:queueops_task_changelist", query={"status__exact": status})


def number(count: int) -> str:
    """A count of a snapshot, with a plus sign at the count limit."""
    return f"{COUNT_LIMIT:,}+" if count >= COUNT_LIMIT else f"{count:,}"
