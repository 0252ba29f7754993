"""A database that does not answer is reported with its cause."""

from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection
from psycopg.errors import DiskFull
from psycopg_pool import PoolTimeout

from queueops.base import database_away
from tests.queueops.cli_runner import called

POOL_SAYS = "couldn't get a connection after 3.00 sec"
pytestmark = pytest.mark.django_db


def pool_timeout() -> OperationalError:
    error = OperationalError(POOL_SAYS)
    error.__cause__ = PoolTimeout(POOL_SAYS)
    return error


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("NAME", "there_is_none", 'database "there_is_none" does not exist'),
        ("USER", "nobody_here", "nobody_here"),
        ("HOST", "/nowhere", "No such file or directory"),
    ],
)
def test_a_pool_timeout_is_reported_with_the_servers_message(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, says: str
) -> None:
    monkeypatch.setitem(connection.settings_dict, setting, value)
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "s3cret")
    said = database_away.sentence(pool_timeout())
    assert said.startswith("the database does not answer: ")
    assert says in said
    assert said.endswith("; start it (python manage.py runstack), or correct DATABASE_URL")
    assert "s3cret" not in said
    assert "\n" not in said


def test_a_pool_that_is_only_busy_says_so_itself() -> None:
    assert database_away.reason(pool_timeout()) == POOL_SAYS


def test_any_other_error_is_reported_by_its_first_line() -> None:
    assert database_away.sentence(OperationalError("gone\nfor good")) == "the database does not answer: gone"


def test_a_full_disk_has_its_own_sentence() -> None:
    error = OperationalError("could not extend file: gone")
    error.__cause__ = DiskFull()
    assert database_away.sentence(error) == (
        "the database's disk is full: could not extend file: gone; free some space, then run this again"
    )


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The database cannot be reached any more."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setitem(connection.settings_dict, "HOST", "/nowhere")
        connection.close()
        yield
        connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("away")
@pytest.mark.parametrize("options", [["--dry-run"], ["--yes"]])
def test_a_removal_that_cannot_begin_says_that_nothing_was_changed(options: list[str]) -> None:
    refused = called("remove_queue", *options)
    assert refused.code == 2
    assert refused.sentence.startswith("nothing was changed: the database does not answer: ")
