"""The application for granian: Django's WSGI application behind the application server's limits."""

from django.conf import settings

from config.http import cors, problems
from config.http.content_security_policy import ADMIN_PATH
from config.http.sub_path import below
from config.serving import connections
from config.serving.answers import Answer, RefusedError, answer, in_plain_text
from config.serving.front import Front
from config.serving.limits import Limits
from config.wsgi import application as wsgi_application

LIMITS = Limits(threads=settings.WEB_THREADS, body_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
_HEALTH = "/health"
TAKING_BODIES = tuple(
    prefix + path for prefix in {"", settings.SUB_PATH} for path in (problems.PREFIX, ADMIN_PATH)
)
DOWN = answer(503, b'{"status": "down"}', "application/json", {"Cache-Control": "no-store"})


def front(limits: Limits) -> Front:
    """Vectorpress with these limits, the process's sockets prepared for them."""
    connections.allow()
    connections.end_unread(limits.write_seconds)
    urgent = {prefix + _HEALTH: DOWN for prefix in {"", settings.SUB_PATH}}
    return Front(wsgi_application, limits, TAKING_BODIES, urgent, refuse)


def refuse(error: RefusedError, path: str, origin: str) -> Answer:
    """A problem document below /api, which pages of the origins allowed may read too; a line of text elsewhere."""
    inner_path = below(path, settings.SUB_PATH)
    if not inner_path.startswith(problems.PREFIX):
        return in_plain_text(error, path, origin)
    body = problems.problem(error.status, error.detail).content
    headers = error.headers | cors.headers(inner_path, origin)
    return answer(error.status, body, problems.CONTENT_TYPE, headers)


application = front(LIMITS)
