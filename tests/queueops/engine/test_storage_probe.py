"""Whether the database accepts vectors: what is noted of an error, and the small write that asks again."""

import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from psycopg import DatabaseError, errors
from pytest_django import DjangoAssertNumQueries
from structlog.testing import capture_logs

from embeddings.models import ArticleEmbedding, Space
from queueops.base import shutdown
from queueops.base.database_refusals import Blame, Refusal
from queueops.engine import storage_probe
from queueops.engine.storage_breaker import StorageBrake
from tests.queueops.factories import make_article, make_space
from tests.queueops.refusing_database import refuse, take_again

FULL = Refusal("53100", Blame.DATABASE, "No space left on device")


def database_error(cause: type[Exception]) -> OperationalError:
    error = OperationalError("what the server said")
    error.__cause__ = cause("what the server said")
    return error


@pytest.mark.parametrize(
    ("cause", "blame", "is_braked"),
    [
        (errors.DiskFull, Blame.DATABASE, True),
        (errors.ReadOnlySqlTransaction, Blame.DATABASE, True),
        (errors.UndefinedTable, Blame.DATABASE, True),
        (errors.AdminShutdown, Blame.CONNECTION, False),
        (errors.TooManyConnections, Blame.CONNECTION, False),
    ],
)
def test_a_write_that_is_refused_stops_claiming_and_a_lost_connection_does_not(
    cause: type[DatabaseError], blame: Blame, is_braked: bool
) -> None:
    assert storage_probe.noted(database_error(cause)).blame is blame
    assert storage_probe.brake.is_on is is_braked


def test_it_is_logged_when_it_begins_and_ends_and_not_in_between() -> None:
    with capture_logs() as logs:
        for _ in range(3):
            storage_probe.refused(FULL)
        for _ in range(3):
            storage_probe.accepted()
    assert [log["log_level"] for log in logs] == ["error", "warning"]
    assert "53100" in logs[0]["reason"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds by which the brake tells its turns."""
    seconds = [0.0]
    monkeypatch.setattr(storage_probe, "brake", StorageBrake(lambda: seconds[0]))
    return seconds


@pytest.fixture
def space(db: None) -> Space:
    return make_space()


def test_while_all_is_well_nothing_is_asked(
    space: Space, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert storage_probe.wait(space) == 0.0


def test_between_two_turns_nothing_is_asked(
    space: Space, clock: list[float], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    storage_probe.refused(FULL)
    with django_assert_num_queries(0):
        assert storage_probe.wait(space) > 0


def test_a_turn_asks_with_a_row_that_leaves_nothing_behind(space: Space, clock: list[float]) -> None:
    make_article()
    storage_probe.refused(FULL)
    clock[0] = 60.0
    assert storage_probe.wait(space) == 0.0
    assert storage_probe.brake.is_on  # until something is stored
    assert not ArticleEmbedding.objects.exists()


def test_a_turn_that_is_refused_waits_for_the_next(space: Space, clock: list[float]) -> None:
    make_article()
    refuse("53100")
    storage_probe.refused(FULL)
    clock[0] = 60.0
    first = storage_probe.wait(space)
    assert first > 0
    clock[0] += first
    assert storage_probe.wait(space) > first
    take_again()
    clock[0] += 60
    assert storage_probe.wait(space) == 0.0


@pytest.mark.parametrize("sqlstate", ["53100", "25006", "42501"])
def test_a_refused_row_says_why(space: Space, sqlstate: str) -> None:
    make_article()
    assert storage_probe.refusal_of_a_row(space) is None
    refuse(sqlstate)
    refusal = storage_probe.refusal_of_a_row(space)
    assert refusal is not None
    assert (refusal.sqlstate, refusal.message) == (sqlstate, "No space left on device")
    with connection.cursor() as cursor:  # the transaction goes on
        cursor.execute("SELECT 1")


def test_the_row_is_of_no_article_that_it_is_to_pass_over(space: Space) -> None:
    bad = make_article("Bad")
    refuse(condition=f"NEW.article_id = {bad.pk}")
    assert storage_probe.refusal_of_a_row(space) is not None
    make_article("Good")
    assert storage_probe.refusal_of_a_row(space, [bad.pk]) is None


def soon() -> float:
    return time.monotonic() + timedelta(minutes=1).total_seconds()


def test_whose_turn_it_is_goes_on_at_once() -> None:
    assert storage_probe.await_turn(soon())


def test_nobody_waits_past_the_moment_or_in_a_process_that_stops() -> None:
    storage_probe.refused(FULL)
    assert not storage_probe.await_turn(time.monotonic() - 1)
    shutdown.request()
    assert not storage_probe.await_turn(soon())
    storage_probe.accepted()
    assert not storage_probe.await_turn(soon())  # a stop comes first


def test_a_turn_that_meets_another_reason_notes_that_one(space: Space, clock: list[float]) -> None:
    make_article()
    storage_probe.refused(FULL)
    refuse("25006")
    clock[0] = 60.0
    storage_probe.wait(space)
    assert storage_probe.brake.now is not None
    assert storage_probe.brake.now.refusal.sqlstate == "25006"
