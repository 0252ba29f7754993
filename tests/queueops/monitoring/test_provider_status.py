"""How each provider stands: who is told of, and which of its row's figures hold right now."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now, TruncDate
from pytest_django import Settings

from embeddings.models import Space
from queueops.models import ProviderState
from queueops.monitoring import provider_status
from queueops.monitoring.provider_status import ProviderStatus
from tests.queueops.factories import make_space, now


@pytest.mark.parametrize(
    ("fields", "is_out", "is_held"),
    [
        ({}, False, False),
        ({"failures": 2}, False, False),
        ({"blocked_for": 5.0}, False, True),
        ({"breaker": "open"}, True, True),
        ({"breaker": "half_open"}, True, True),
    ],
)
def test_a_provider_is_out_or_held_back_or_well(fields: dict[str, Any], is_out: bool, is_held: bool) -> None:
    status = ProviderStatus("openai", **fields)
    assert (status.is_out, status.is_held) == (is_out, is_held)


def named() -> list[str]:
    return [view.name for view in provider_status.views()]


@pytest.mark.django_db
def test_providers_in_use_or_with_a_row_are_listed_once_each() -> None:
    space = make_space()
    assert provider_status.views() == (ProviderStatus("openai", retry_in=None),)
    ProviderState.objects.create(name="openai")
    ProviderState.objects.create(name="local")
    assert named() == ["local", "openai"]
    type(space).objects.update(state="retired")
    ProviderState.objects.filter(name="openai").delete()
    assert named() == ["local"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "provider", "is_beside"),
    [
        ("building", "local", True),
        ("standby", "local", True),
        ("building", "openai", False),
        ("retired", "local", False),
    ],
)
def test_a_provider_that_the_serving_space_does_not_use_is_beside_it(
    state: str, provider: str, is_beside: bool
) -> None:
    make_space()
    Space.objects.create(version=1, provider=provider, model="b", dimensions=4, chunk_tokens=9, state=state)
    ProviderState.objects.create(name="local")
    found = {each.name: each.is_beside for each in provider_status.views()}
    assert (found[provider], found["openai"]) == (is_beside, False)


def view(**fields: Any) -> ProviderStatus:
    ProviderState.objects.create(name="openai", **fields)
    return next(view for view in provider_status.views() if view.name == "openai")


@pytest.mark.django_db
def test_an_outage_says_for_how_long_and_when_it_is_asked_again() -> None:
    found = view(
        breaker="open",
        failures=3,
        opened_at=Now() - timedelta(minutes=2),
        retry_at=Now() + timedelta(seconds=9),
    )
    assert found.out_for == pytest.approx(120, abs=2)
    assert found.retry_in == pytest.approx(9, abs=2)


@pytest.mark.django_db
def test_while_a_canary_asks_its_lease_says_when_the_next_one_may() -> None:
    found = view(
        breaker="half_open", opened_at=Now(), retry_at=Now(), canary_until=Now() + timedelta(seconds=30)
    )
    assert found.retry_in == pytest.approx(30, abs=2)


@pytest.mark.django_db
def test_an_overdue_retry_is_due_now() -> None:
    assert view(breaker="open", opened_at=Now(), retry_at=Now() - timedelta(hours=1)).retry_in == 0


@pytest.mark.django_db
def test_traces_of_an_outage_are_not_shown_after_its_end() -> None:
    found = view(breaker="closed", opened_at=Now(), retry_at=Now() + timedelta(hours=1))
    assert (found.out_for, found.retry_in, found.is_out) == (None, None, False)


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "blocked_for"), [(30, pytest.approx(30, abs=2)), (-1, None)])
def test_a_block_is_shown_until_it_ends(seconds: int, blocked_for: Any) -> None:
    assert view(blocked_until=Now() + timedelta(seconds=seconds)).blocked_for == blocked_for


@pytest.mark.django_db
def test_a_call_is_in_flight_until_its_lease_ends() -> None:
    ends = now().timestamp()
    assert view(calls={"a": ends + 60, "b": ends + 60, "dead": ends - 60}).calls == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("budget", "tokens", "days", "told", "is_spent"),
    [
        (0, 100, 0, 100, False),
        (100, 99, 0, 99, False),
        (100, 100, 0, 100, True),
        (100, 500, -1, 0, False),
    ],
)
def test_tokens_are_those_of_today_and_spent_at_the_budget(
    settings: Settings, budget: int, tokens: int, days: int, told: int, is_spent: bool
) -> None:
    settings.EMBEDDING_DAILY_TOKEN_BUDGET = budget
    found = view(tokens_today=tokens, day=TruncDate(Now() + timedelta(days=days)))
    assert (found.tokens_today, found.is_spent) == (told, is_spent)
