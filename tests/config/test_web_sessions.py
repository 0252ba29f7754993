"""The bounds of a web process's sessions travel with their start."""

from typing import Any

import pytest
from pytest_django import Settings

from config import web_sessions


@pytest.fixture
def options(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Those of the database, empty at first."""
    made: dict[str, Any] = {}
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", made)
    return made


@pytest.mark.parametrize(
    ("lock", "statement", "given", "found"),
    [
        ("2s", "30s", None, "-c lock_timeout=2s -c statement_timeout=30s"),
        ("2s", "", None, "-c lock_timeout=2s"),
        ("2s", "30s", "-c lock_timeout=9s", "-c lock_timeout=2s -c statement_timeout=30s -c lock_timeout=9s"),
        ("", "", "-c x=y", "-c x=y"),
        ("", "", None, None),
    ],
)
def test_what_the_address_says_comes_last_and_so_counts(
    settings: Settings,
    options: dict[str, Any],
    lock: str,
    statement: str,
    given: str | None,
    found: str | None,
) -> None:
    settings.DATABASE_LOCK_TIMEOUT, settings.DATABASE_STATEMENT_TIMEOUT = lock, statement
    if given:
        options["options"] = given
    web_sessions.bound()
    assert options.get("options") == found
