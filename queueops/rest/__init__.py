"""The queue over HTTP for operators: what the shell reads and does, by the same functions."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from ninja import Router

from queueops.rest import acting, reading, switching


def build_router(*, ops: Callable[[HttpRequest], Any]) -> Router:
    """The routes below /queue. `ops` admits callers, who have a `name`: the audit log has it."""
    router = Router(tags=["queue"], auth=ops)
    reading.add_routes(router)
    acting.add_routes(router)
    switching.add_routes(router)
    return router
