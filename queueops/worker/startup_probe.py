"""One harmless text for each space at the start of a worker process, so that a wrong width, key or address is found and
named before the first article waits for it. In a thread of its own: a silent provider delays nothing."""

import threading
import time
from collections.abc import Callable

import structlog
from django.db import DatabaseError, InterfaceError, connection

from embeddings.indexing.provider_session import ProviderSession
from embeddings.models import Space
from embeddings.providers.errors import ErrorClass, NotAskedError, ProviderError
from lib import database_connection
from queueops.admission import circuit_breaker, gate, rate_limiter, self_pause
from queueops.admission.circuit_breaker import BatchVerdict
from queueops.base import database_refusals, installed, shutdown
from queueops.engine import modes
from queueops.models import Mode
from queueops.models.worker import BRAKES_ALL_SQL

_IS_HELD = f"""
SELECT EXISTS (SELECT FROM queue_state WHERE is_paused)
    OR EXISTS (SELECT FROM embedding_worker_status WHERE {BRAKES_ALL_SQL})
"""  # noqa: S608  the only text put in is our own

log = structlog.get_logger(__name__)


def begin(is_stopping: Callable[[], bool] = shutdown.is_requested) -> threading.Thread:
    """Starts the thread, once per process."""
    thread = threading.Thread(target=_run, args=[is_stopping], name="startup probe", daemon=True)
    thread.start()
    return thread


def _run(is_stopping: Callable[[], bool]) -> None:
    try:
        _ask_all(is_stopping)
    except (DatabaseError, InterfaceError) as error:
        log.info("provider not probed", reason=str(database_refusals.of(error)))
    finally:
        connection.close()


def _ask_all(is_stopping: Callable[[], bool]) -> None:
    if not installed.is_there() or modes.current() is Mode.DISABLED:
        return
    for space in Space.objects.receiving():
        if is_stopping() or _is_held():
            return
        probe(space)


def _is_held() -> bool:
    """Whether an operator lets nothing be sent."""
    with connection.cursor() as cursor:
        cursor.execute(_IS_HELD)
        return bool(cursor.fetchone()[0])


def probe(space: Space) -> ProviderError | None:
    """Sends the text if the provider may be called now, by the limits and with the consequences of any other request;
    returns what is wrong, None too if it was not called."""
    permit = gate.admit(space.provider)
    if permit.wait:
        return None
    began = time.monotonic()
    error = _asked(space)
    gate.report(permit, _verdict(error), None if isinstance(error, NotAskedError) else error)
    if error is None or isinstance(error, NotAskedError):
        return None
    if error.kind is ErrorClass.AUTH:
        self_pause.pause_itself(space.provider, error, time.monotonic() - began)
    log.error(f"no vectors for the space {space}: {error}", kind=error.kind.value)
    return error


def _asked(space: Space) -> ProviderError | None:
    database_connection.release()
    asking = ProviderSession(space, circuit_breaker.CANARY_SECONDS, rate_limiter.meter(space.provider))
    try:
        asking.probe()
    except ProviderError as error:
        return error
    return None


def _verdict(error: ProviderError | None) -> BatchVerdict:
    if isinstance(error, NotAskedError):
        return BatchVerdict.NONE
    return circuit_breaker.verdict_of(error.kind if error else None, requests=1, texts=int(error is None))
