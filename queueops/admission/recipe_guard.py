"""Whether this process may write vectors of a space: only by the recipe that the space has."""

import structlog
from django.db import DatabaseError, InterfaceError

from embeddings import recipes
from embeddings.models import Space
from queueops.models import AuditLog, Category, Level

log = structlog.get_logger(__name__)

# spaces, with the recipe they had, whose refusal this process has reported
_reported: set[tuple[int, str]] = set()


def may_write(space: Space) -> bool:
    """False for a space of another recipe; the first time, the reason is logged and audited."""
    if recipes.fits(space):
        return True
    key = (space.pk, space.fingerprint)
    if key not in _reported:
        _reported.add(key)
        _report(recipes.refusal(space), space)
    return False


def _report(refusal: str, space: Space) -> None:
    log.error("space not written", space=str(space), reason=refusal)
    try:
        AuditLog.objects.create(
            level=Level.ERROR, category=Category.ENGINE, message=refusal, metadata={"space": space.pk}
        )
    except (DatabaseError, InterfaceError):  # the log has it
        log.warning("refusal not audited", space=str(space))


def forget() -> None:
    """Reports again (for tests)."""
    _reported.clear()
