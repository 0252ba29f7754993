"""The verbs that stop and start every worker, and show what is stuck."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from embeddings.models import Space
from queueops.models import QueueState, Status, Worker
from tests.queueops.cli.verbs.test_bulk import statuses
from tests.queueops.cli_runner import queue_admin
from tests.queueops.factories import make_space, make_tasks, make_worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def space() -> Space:
    return make_space()


def test_stuck_tasks_are_shown_and_reset(space: Space) -> None:
    make_tasks(
        1, space, Status.PROCESSING, lease_expires_at=Now() - timedelta(minutes=5), claimed_by="worker 7"
    )
    make_tasks(1, space, Status.PROCESSING, priority="low")
    told = queue_admin("stuck", "--json").json
    assert (told["stuck"], told["tasks"][0]["claimed_by"]) == (1, "worker 7")
    assert "worker 7" in queue_admin("stuck").out
    assert queue_admin("reset-stuck", "--dry-run", "--json").json["total"] == 1
    assert queue_admin("reset-stuck", "--yes").code == 0
    assert statuses() == ["pending", "processing"]
    assert queue_admin("stuck").out == "No task is stuck.\n"


def test_the_brakes_of_the_reference_need_no_reason(space: Space) -> None:
    make_worker()
    make_tasks(2, space, Status.PROCESSING)
    assert queue_admin("stop").out.startswith("stopped; tasks in progress finish")
    assert (QueueState.objects.get().is_paused, Worker.objects.get().is_running) == (True, False)
    assert queue_admin("start").out.startswith("started")
    assert (QueueState.objects.get().is_paused, Worker.objects.get().is_running) == (False, True)
    told = queue_admin("emergency-stop", "--json", "--reason=it writes nonsense").json
    assert (told["workers"], told["released"]) == (1, 2)
    assert QueueState.objects.get().reason == "it writes nonsense"
    assert statuses() == ["pending", "pending"]
