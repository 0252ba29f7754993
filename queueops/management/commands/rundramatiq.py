"""`manage.py rundramatiq`: django-dramatiq's command, which does not start workers where there is no queue."""

import os
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError, connection
from django_dramatiq.management.commands import rundramatiq

from queueops import installed
from queueops.desk.exits import Exit

# A statement of a worker waits for a lock so long; then its batch goes back, and nothing is claimed while that lasts.
# libpq reads it where DATABASE_URL says nothing of `options`.
_SESSIONS = ("PGOPTIONS", "-c lock_timeout=5000")


class Command(rundramatiq.Command):  # type: ignore[misc]  # it has no types
    def handle(self, *arguments: Any, **options: Any) -> None:
        if not _has_work():
            raise CommandError(f"no workers started: {installed.NOT_INSTALLED}", returncode=Exit.TROUBLE)
        if settings.DATABASE_LOCK_TIMEOUT:
            os.environ.setdefault(*_SESSIONS)
        super().handle(*arguments, **options)


def _has_work() -> bool:
    """Whether the queue is installed; where the database does not say, workers wait for it."""
    try:
        return installed.look()
    except (DatabaseError, InterfaceError):
        return True
    finally:
        connection.close()
