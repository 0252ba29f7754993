"""Hints name the command as it is typed where they are read."""

import pytest
from pytest_django import Settings

from lib.manage_command import manage


@pytest.mark.parametrize(
    ("prefix", "typed"),
    [
        ("python manage.py", "python manage.py migrate"),
        ("./dev manage", "./dev manage migrate"),
        ("docker compose exec web python manage.py", "docker compose exec web python manage.py migrate"),
    ],
)
def test_a_command_begins_as_the_installation_says(settings: Settings, prefix: str, typed: str) -> None:
    settings.MANAGE_COMMAND = prefix
    assert manage("migrate") == typed
