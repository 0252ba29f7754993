"""The queue over HTTP for operators: the same functions as the command line."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from ninja import Router

from queueops.api import acts, controls, reads


def build_router(*, ops: Callable[[HttpRequest], Any], may_read: Callable[[HttpRequest], bool]) -> Router:
    """The routes below /queue. `ops` admits callers and gives them a `name`, for the audit log. Replies quote articles
    only to a caller who `may_read` them."""
    router = Router(tags=["queue"], auth=ops)
    reads.add_routes(router, may_read)
    acts.add_routes(router)
    controls.add_routes(router)
    return router
