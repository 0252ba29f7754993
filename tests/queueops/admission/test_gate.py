"""Whether a worker may claim for a provider, and what its batch tells all workers: each case on the provider's row.

Through whole batches over real HTTP they are tried in test_outage.py.
"""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django import DjangoAssertNumQueries, Settings

from embeddings.providers.errors import ErrorClass, ProviderError
from queueops.admission import circuit_breaker, gate
from queueops.admission.circuit_breaker import BatchVerdict
from queueops.admission.gate import Permit
from queueops.models import AuditLog, ProviderState
from tests.queueops.factories import now

pytestmark = pytest.mark.django_db
PAST, SOON = Now() - timedelta(seconds=1), Now() + timedelta(seconds=50)
DOWN = ProviderError(ErrorClass.PROVIDER_DOWN, "h answered 503")
BUSY = ProviderError(ErrorClass.RATE_LIMITED, "h answered 429", retry_after=30)
ANSWERED, FAILED, NONE = BatchVerdict.ANSWERED, BatchVerdict.FAILED, BatchVerdict.NONE


def remember(**fields: Any) -> None:
    ProviderState.objects.create(name="openai", **fields)


def row() -> ProviderState:
    return ProviderState.objects.get(name="openai")


def test_a_provider_that_nothing_is_known_of_may_be_asked_and_no_row_is_written() -> None:
    assert gate.admit("openai") == Permit("openai")
    assert not ProviderState.objects.exists()


@pytest.mark.parametrize(
    ("fields", "wait"),
    [
        ({}, 0),
        ({"failures": 2}, 0),
        ({"blocked_until": PAST}, 0),
        ({"blocked_until": SOON}, 50),
        ({"retry_at": SOON}, 0),  # left from an outage that is over
        ({"breaker": "open", "retry_at": SOON}, 50),
        ({"breaker": "open", "retry_at": PAST, "blocked_until": SOON}, 50),
        ({"breaker": "half_open", "retry_at": PAST, "canary_until": SOON}, 50),
    ],
)
def test_it_waits_as_long_as_the_row_says(fields: dict[str, Any], wait: int) -> None:
    remember(**fields)
    assert gate.admit("openai").wait == pytest.approx(wait, abs=2)


@pytest.mark.parametrize("fields", [{"failures": 1}, {"refusals": 1}])
def test_a_row_that_counts_something_is_to_be_reset_by_a_success(fields: dict[str, int]) -> None:
    remember(**fields)
    permit = gate.admit("openai")
    assert permit.is_marked
    assert not gate.report(permit, ANSWERED)
    assert (row().failures, row().refusals) == (0, 0)
    assert not gate.admit("openai").is_marked


@pytest.mark.parametrize("breaker", ["open", "half_open"])
def test_the_first_to_ask_after_the_interval_is_the_canary(breaker: str) -> None:
    remember(breaker=breaker, retry_at=PAST, canary_until=PAST, canary=uuid.uuid4())
    permit = gate.admit("openai")
    assert (permit.canary, permit.wait, permit.is_marked) == (row().canary, 0, True)
    assert permit.canary is not None
    assert row().breaker == "half_open"


def test_an_open_breaker_without_a_time_lets_nobody_ask() -> None:
    remember(breaker="open")
    assert gate.admit("openai") == Permit("openai", circuit_breaker.CANARY_LEASE_SECONDS)


def test_calls_in_flight_hold_others_back_under_a_limit_only(settings: Settings) -> None:
    ends = now().timestamp()
    remember(calls={"a": ends + 60, "b": ends + 60, "dead": ends - 60})
    for limit, may in ((0, True), (1, False), (2, False), (3, True)):
        settings.EMBEDDING_CALLS_IN_FLIGHT = limit
        assert (gate.admit("openai").wait == 0) is may, limit


@pytest.mark.parametrize(
    ("budget", "tokens", "days_ago", "with_low"),
    [
        (0, 10**9, 0, True),
        (100, 99, 0, True),
        (100, 100, 0, False),
        (100, 10**9, 0, False),
        (100, 10**9, 1, True),  # spent yesterday
        (100, 10**9, -1, False),  # counted by a clock that was ahead
    ],
)
def test_a_spent_day_holds_the_lowest_rank_back(
    settings: Settings, budget: int, tokens: int, days_ago: int, with_low: bool
) -> None:
    settings.EMBEDDING_DAILY_TOKEN_BUDGET = budget
    with connection.cursor() as cursor:
        cursor.execute("SELECT (statement_timestamp() AT TIME ZONE 'UTC')::date - %s", [days_ago])
        (day,) = cursor.fetchone()
    remember(day=day, tokens_today=tokens)
    permit = gate.admit("openai")
    assert (permit.with_low, permit.wait) == (with_low, 0)


@pytest.mark.parametrize("verdict", [ANSWERED, NONE])
def test_news_that_change_nothing_are_not_written(
    verdict: BatchVerdict, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert not gate.report(Permit("openai"), verdict)


def test_failures_in_a_row_open_the_breaker_which_is_logged_once() -> None:
    opened = [gate.report(Permit("openai"), FAILED, DOWN) for _ in range(circuit_breaker.FAILURES_TO_OPEN)]
    assert opened == [False] * (circuit_breaker.FAILURES_TO_OPEN - 1) + [True]
    assert (row().breaker, row().openings, row().last_error) == ("open", 1, str(DOWN))
    assert row().retry_at > now()
    entry = AuditLog.objects.get()
    assert (entry.level, entry.metadata) == ("error", {"provider": "openai", "failures": 3})


def test_a_request_sent_before_the_breaker_opened_does_not_change_it() -> None:
    remember(breaker="open", failures=3, openings=1, retry_at=SOON, opened_at=PAST)
    before = row().retry_at
    for verdict in (ANSWERED, FAILED):
        assert gate.report(Permit("openai", is_marked=True), verdict, DOWN if verdict is FAILED else None)
    assert (row().breaker, row().failures, row().openings, row().retry_at) == ("open", 3, 1, before)
    assert not AuditLog.objects.exists()


def canary() -> Permit:
    remember(breaker="open", failures=3, openings=1, retry_at=PAST, opened_at=PAST)
    return gate.admit("openai")


def test_a_canary_that_is_answered_ends_the_outage() -> None:
    assert not gate.report(canary(), ANSWERED)
    state = row()
    assert (state.breaker, state.failures, state.openings) == ("closed", 0, 0)
    assert (state.canary, state.canary_until, state.retry_at, state.opened_at) == (None,) * 4
    assert AuditLog.objects.get().level == "info"


def test_a_canary_that_fails_makes_the_next_one_wait_longer_and_is_not_logged() -> None:
    assert gate.report(canary(), FAILED, DOWN)
    state = row()
    assert (state.breaker, state.failures, state.openings, state.canary) == ("open", 4, 2, None)
    assert gate.admit("openai").wait == pytest.approx(2 * circuit_breaker.FIRST_INTERVAL, abs=1)
    assert state.opened_at is not None
    assert not AuditLog.objects.exists()


def test_a_permit_that_was_not_used_is_given_back_by_a_canary_alone(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(0):
        gate.release(Permit("openai", is_marked=True))
    first = canary()
    gate.release(first)
    assert (row().breaker, row().canary) == ("open", None)
    assert gate.admit("openai").canary not in (None, first.canary)


def test_a_429_blocks_everybody_as_long_as_it_says_and_opens_no_breaker() -> None:
    assert not gate.report(Permit("openai"), ANSWERED, BUSY)
    assert (row().breaker, row().refusals, row().failures) == ("closed", 1, 0)
    assert gate.admit("openai").wait == pytest.approx(30, abs=2)


def test_several_that_are_refused_at_once_count_as_one_and_the_longest_block_holds() -> None:
    for seconds in (30, 1, 60, 5):
        gate.report(Permit("openai"), ANSWERED, ProviderError(ErrorClass.RATE_LIMITED, "x", seconds))
    assert row().refusals == 1
    assert gate.admit("openai").wait == pytest.approx(60, abs=2)


def test_a_success_of_before_a_block_does_not_reset_the_count_while_it_lasts() -> None:
    gate.report(Permit("openai"), ANSWERED, BUSY)
    gate.report(Permit("openai", is_marked=True), ANSWERED)
    assert row().refusals == 1
    ProviderState.objects.update(blocked_until=PAST)
    gate.report(Permit("openai", is_marked=True), ANSWERED)
    assert row().refusals == 0


@pytest.mark.parametrize("message", ["", "x" * 5_000, "é\u2028%s{}'"])
def test_the_last_error_is_kept_within_bounds(message: str) -> None:
    gate.report(Permit("openai"), FAILED, ProviderError(ErrorClass.TRANSIENT, message))
    assert row().last_error == message[:500]


def test_another_providers_row_is_left_alone() -> None:
    remember(failures=2)
    gate.report(Permit("ollama"), FAILED, DOWN)
    assert dict(ProviderState.objects.values_list("name", "failures")) == {"openai": 2, "ollama": 1}
