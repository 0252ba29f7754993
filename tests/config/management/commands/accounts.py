"""What tests of the commands on accounts share: the command as an operator calls it, and what is written down."""

from io import StringIO
from typing import Any

from django.core.management import call_command

from queueops.models import AuditLog


def run(*words: Any) -> str:
    out = StringIO()
    call_command(*words, "--actor", "root", "--yes", stdout=out)
    return out.getvalue()


def written(message: str) -> tuple[Any, ...]:
    row = AuditLog.objects.get(message=message)
    return row.actor, row.metadata["whose"], row.metadata["reason"]
