"""What operators switch over HTTP for the queue as a whole."""

import pytest

from access.models import Scope
from embeddings.models import Space
from queueops.models import QueueState, Status, Worker
from tests.factories import Api, body, make_token
from tests.queueops.api.test_acts import WHY, statuses
from tests.queueops.factories import make_space, make_tasks, make_worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def space() -> Space:
    return make_space()


@pytest.fixture
def api() -> Api:
    _, token = make_token(Scope.OPS, name="night shift")
    return Api(token)


def test_the_queue_is_paused_and_resumed_in_the_tokens_name(api: Api, space: Space) -> None:
    body(api.post("/queue/pause", WHY))
    state = QueueState.objects.get()
    assert (state.is_paused, state.reason, state.changed_by) == (True, WHY["reason"], "night shift")
    body(api.post("/queue/resume", WHY))
    assert not QueueState.objects.get().is_paused


def test_every_worker_is_stopped_and_started(api: Api, space: Space) -> None:
    make_worker()
    body(api.post("/queue/stop", WHY))
    assert not Worker.objects.get().is_running
    body(api.post("/queue/start", WHY))
    assert Worker.objects.get().is_running


def test_an_emergency_stop_takes_from_workers_what_they_hold(api: Api, space: Space) -> None:
    make_worker()
    make_tasks(2, space, Status.PROCESSING)
    reply = body(api.post("/queue/emergency-stop", WHY))
    assert (reply["workers"], reply["released"], statuses()) == (1, 2, ["pending", "pending"])


def test_the_mode_is_set_and_given_back_to_the_settings(api: Api, space: Space) -> None:
    body(api.post("/queue/mode", WHY | {"mode": "disabled"}))
    assert body(api.get("/queue"))["mode"] == "disabled"
    body(api.post("/queue/mode", WHY | {"mode": "environment"}))
    assert QueueState.objects.get().mode == ""
