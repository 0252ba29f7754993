"""Controls of the queue as a whole over HTTP: pause, resume, stop, start and mode."""

from django.http import HttpRequest
from ninja import Router

from queueops.api.fields import NewMode, Why, actor
from queueops.api.replies import Stopped, Switched
from queueops.models import Mode
from queueops.operate import controls


def add_routes(router: Router) -> None:
    """POST below /queue that change the queue as a whole."""

    @router.post("/pause", response=Switched, summary="Stop claiming tasks; tasks in progress finish")
    def pause(request: HttpRequest, why: Why) -> Switched:
        return {"operation": controls.pause(actor=actor(request), reason=why.reason)}

    @router.post("/resume", response=Switched, summary="Claim tasks again, at once")
    def resume(request: HttpRequest, why: Why) -> Switched:
        return {"operation": controls.resume(actor=actor(request), reason=why.reason)}

    @router.post("/stop", response=Switched, summary="Pause, and stop every worker until started again")
    def stop(request: HttpRequest, why: Why) -> Switched:
        return {"operation": controls.stop(actor=actor(request), reason=why.reason)}

    @router.post("/start", response=Switched, summary="End a pause, stop or emergency stop")
    def start(request: HttpRequest, why: Why) -> Switched:
        return {"operation": controls.start(actor=actor(request), reason=why.reason)}

    @router.post(
        "/emergency-stop",
        response=Stopped,
        summary="Stop, and release the tasks that workers hold; nothing is lost",
    )
    def emergency_stop(request: HttpRequest, why: Why) -> Stopped:
        done = controls.emergency_stop(actor=actor(request), reason=why.reason)
        return {"operation": done.operation, "workers": done.workers, "released": done.released}

    @router.post(
        "/mode", response=Switched, summary="Set the mode: embed by queue, in the request, or not at all"
    )
    def set_mode(request: HttpRequest, new: NewMode) -> Switched:
        wanted = None if new.mode == "environment" else Mode(new.mode)
        return {"operation": controls.set_mode(wanted, actor=actor(request), reason=new.reason)}
