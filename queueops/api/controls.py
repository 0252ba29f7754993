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
    def pause_queue(request: HttpRequest, why: Why) -> Switched:
        """Saves still add tasks, and searches still answer."""
        return {"operation": controls.pause(actor=actor(request), reason=why.reason)}

    @router.post("/resume", response=Switched, summary="Claim tasks again, at once")
    def resume_queue(request: HttpRequest, why: Why) -> Switched:
        """It ends a pause, also one that the queue began itself after a refused key."""
        return {"operation": controls.resume(actor=actor(request), reason=why.reason)}

    @router.post("/stop", response=Switched, summary="Pause, and stop every worker until started again")
    def stop_queue(request: HttpRequest, why: Why) -> Switched:
        """Tasks in progress finish. Saves still add tasks, and searches still answer."""
        return {"operation": controls.stop(actor=actor(request), reason=why.reason)}

    @router.post("/start", response=Switched, summary="End a pause, stop or emergency stop")
    def start_queue(request: HttpRequest, why: Why) -> Switched:
        """Worker processes claim tasks again within seconds."""
        return {"operation": controls.start(actor=actor(request), reason=why.reason)}

    @router.post(
        "/emergency-stop",
        response=Stopped,
        summary="Stop, and release the tasks that workers hold; nothing is lost",
    )
    def emergency_stop(request: HttpRequest, why: Why) -> Stopped:
        """Results of the released tasks are dropped; the tasks wait until the queue is started again."""
        done = controls.emergency_stop(actor=actor(request), reason=why.reason)
        return {"operation": done.operation, "workers": done.workers, "released": done.released}

    @router.post(
        "/mode", response=Switched, summary="Set the mode: embed by queue, in the request, or not at all"
    )
    def set_mode(request: HttpRequest, new: NewMode) -> Switched:
        """It takes effect in every process within a second and outlives restarts."""
        wanted = None if new.mode == "environment" else Mode(new.mode)
        return {"operation": controls.set_mode(wanted, actor=actor(request), reason=new.reason)}
