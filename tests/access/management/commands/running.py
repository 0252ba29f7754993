"""Runs a command about tokens and looks at what became of it."""

from datetime import timedelta
from io import StringIO

from django.core.management import call_command
from django.utils import timezone

from access.models import ApiToken

SOON = timedelta(seconds=10)


def run(command: str, *options: str) -> tuple[str, str]:
    """Standard output and standard error."""
    out, err = StringIO(), StringIO()
    call_command(command, *options, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue()


def life(token: ApiToken) -> timedelta:
    """How long the token still lives."""
    assert token.expires_at
    return token.expires_at - timezone.now()
