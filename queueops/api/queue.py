"""The queue over HTTP for operators: what the shell reads and does, by the same functions."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from ninja import Router

from queueops.api import acts, controls, reads


def build_router(*, ops: Callable[[HttpRequest], Any], may_read: Callable[[HttpRequest], bool]) -> Router:
    """The routes below /queue. `ops` admits callers, who have a `name`: the audit log has it. To a caller who may not
    read articles, no answer quotes one."""
    router = Router(tags=["queue"], auth=ops)
    reads.add_routes(router, may_read)
    acts.add_routes(router)
    controls.add_routes(router)
    return router
