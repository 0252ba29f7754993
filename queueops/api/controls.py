"""What operators switch over HTTP for the queue as a whole: pause, resume, stop, start, and its mode."""

from django.http import HttpRequest
from ninja import Router

from queueops.api.fields import NewMode, Why, actor
from queueops.api.replies import Stopped, Switched
from queueops.models import Mode
from queueops.operate import controls


def add_routes(router: Router) -> None:
    """POST below /queue, where the queue itself is changed."""

    @router.post("/pause", response=Switched, summary="Claim nothing more; what is under way ends as usual")
    def pause(request: HttpRequest, why: Why) -> Switched:
        return {"operation": controls.pause(actor=actor(request), reason=why.reason)}

    @router.post("/resume", response=Switched, summary="Claim again, at once")
    def resume(request: HttpRequest, why: Why) -> Switched:
        return {"operation": controls.resume(actor=actor(request), reason=why.reason)}

    @router.post("/stop", response=Switched, summary="Pause, and stop every worker until started again")
    def stop(request: HttpRequest, why: Why) -> Switched:
        return {"operation": controls.stop(actor=actor(request), reason=why.reason)}

    @router.post("/start", response=Switched, summary="Take back every brake")
    def start(request: HttpRequest, why: Why) -> Switched:
        return {"operation": controls.start(actor=actor(request), reason=why.reason)}

    @router.post(
        "/emergency-stop",
        response=Stopped,
        summary="Stop, and take from workers what they hold; nothing is lost",
    )
    def emergency_stop(request: HttpRequest, why: Why) -> Stopped:
        done = controls.emergency_stop(actor=actor(request), reason=why.reason)
        return {"operation": done.operation, "workers": done.workers, "released": done.released}

    @router.post("/mode", response=Switched, summary="Embed by queue, in the request, or not at all")
    def set_mode(request: HttpRequest, new: NewMode) -> Switched:
        wanted = None if new.mode == "environment" else Mode(new.mode)
        return {"operation": controls.set_mode(wanted, actor=actor(request), reason=new.reason)}
