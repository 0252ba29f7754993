"""`migrate` looks at the server first, and names what is in the way before it makes a table."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

pytestmark = pytest.mark.django_db


def test_a_server_that_takes_no_writes_is_named_and_nothing_is_migrated() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
    with pytest.raises(CommandError, match=r"\Anothing was migrated\.\n.*read-only") as refused:
        call_command("migrate", stdout=io.StringIO())
    assert refused.value.returncode == 2


def test_a_server_that_is_as_it_should_be_is_migrated() -> None:
    out = io.StringIO()
    call_command("migrate", "--plan", stdout=out, no_color=True)
    assert "No planned migration operations." in out.getvalue()
