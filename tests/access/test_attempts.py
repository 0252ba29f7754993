"""The guard of secrets: what it counts by, what it announces, and how an attempt ends."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.dispatch import Signal
from django.test import RequestFactory

from access import signals
from access.attempts import CODE, PASSWORD, TOKEN, Door, Rule, TooManyAttempts, address_of, begin, folded

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_cache")]
A, B = "203.0.113.7", "198.51.100.8"
type Heard = list[dict[str, Any]]


@pytest.fixture
def small() -> Door:
    """A door whose limits are soon reached."""
    rules = (Rule("name and address", 2, 300, 300), Rule("address", 4, 300, 300), Rule("name", 6, 3_600, 60))
    return Door("password", rules, for_known=1, known_seconds=60)


def listening(signal: Signal) -> Iterator[Heard]:
    heard: Heard = []

    def record(sender: Any, **fields: Any) -> None:
        heard.append({name: value for name, value in fields.items() if name != "signal"})

    signal.connect(record)
    yield heard
    signal.disconnect(record)


@pytest.fixture
def failures() -> Iterator[Heard]:
    yield from listening(signals.attempt_failed)


@pytest.fixture
def blocks() -> Iterator[Heard]:
    yield from listening(signals.attempts_blocked)


def is_blocked(door: Door, name: str, address: str) -> bool:
    try:
        begin(door, name, address).withdrawn()
    except TooManyAttempts:
        return True
    return False


def fail(door: Door, name: str, address: str, times: int = 1) -> None:
    for _ in range(times):
        begin(door, name, address).failed()


def test_a_name_at_an_address_is_blocked_and_others_are_not(small: Door) -> None:
    fail(small, "ada", A, 2)
    assert is_blocked(small, "ada", A)
    assert not is_blocked(small, "ada", B)
    assert not is_blocked(small, "bob", A)


def test_an_address_and_a_name_have_limits_of_their_own(small: Door) -> None:
    for n in range(4):
        fail(small, f"person {n}", A)
    assert is_blocked(small, "somebody else", A)
    for n in range(6):
        fail(small, "ada", f"192.0.2.{n}")
    assert is_blocked(small, "ada", B)


def test_names_that_differ_in_case_or_form_share_a_count(small: Door) -> None:
    fail(small, "Ádá", A)
    fail(small, "A\u0301DA\u0301", A)
    assert is_blocked(small, "ádá", A)


def test_an_attempt_that_was_not_looked_at_was_none(small: Door) -> None:
    for _ in range(5):
        begin(small, "ada", A).withdrawn()
    assert not is_blocked(small, "ada", A)


def test_a_success_forgets_ones_own_failures_and_counts_for_nobody_else(small: Door) -> None:
    fail(small, "ada", A)
    begin(small, "ada", A).succeeded()
    fail(small, "ada", A)
    assert not is_blocked(small, "ada", A)
    fail(small, "bob", A)
    fail(small, "carl", A)
    assert not is_blocked(small, "dora", A)  # three failures of unknown callers at this address
    fail(small, "dora", A)
    assert is_blocked(small, "eve", A)


def test_who_was_let_in_is_held_to_the_first_rules_alone(small: Door) -> None:
    begin(small, "ada", A).succeeded()
    fail(small, "bob", A, 2)
    fail(small, "carl", A, 2)
    assert is_blocked(small, "dora", A)
    assert not is_blocked(small, "ada", A)


def test_the_first_failure_is_announced_and_each_block_with_what_it_is_of(
    small: Door, failures: Heard, blocks: Heard
) -> None:
    fail(small, "ada", A, 2)
    assert failures == [{"door": "password", "name": "ada", "address": A}]
    fail(small, "bob", A)
    fail(small, "carl", A)
    own, shared = blocks
    assert own == {
        "door": "password", "name": "ada", "address": A, "limited_by": "name and address",
        "failures": 2, "seconds": 300,
    }  # fmt: skip
    assert (shared["limited_by"], shared["name"], shared["address"]) == ("address", "", A)


def test_a_block_of_a_name_names_no_address(small: Door, blocks: Heard) -> None:
    for n in range(6):
        fail(small, "ada", f"192.0.2.{n}")
    assert (blocks[-1]["name"], blocks[-1]["address"], blocks[-1]["seconds"]) == ("ada", "", 60)


def test_what_is_shown_of_a_hash_is_empty(small: Door, failures: Heard) -> None:
    begin(small, "hash of a token", A, shown_name="").failed()
    assert failures[0]["name"] == ""


@pytest.mark.parametrize(("wait", "seconds"), [(0.0, 1), (0.2, 1), (1.0, 1), (1.01, 2), (899.5, 900)])
def test_the_wait_is_said_in_whole_seconds_and_never_none(wait: float, seconds: int) -> None:
    assert TooManyAttempts(wait).wait == seconds


@pytest.mark.parametrize("door", [PASSWORD, CODE, TOKEN])
def test_each_door_counts_by_an_order_of_rules_that_a_known_caller_meets_first(door: Door) -> None:
    assert 0 <= door.for_known <= len(door.rules)
    assert all(rule.most > 0 and rule.seconds > 0 and rule.block > 0 for rule in door.rules)


@pytest.mark.parametrize("name", ["", "x" * 1_000_000, "\ud800", "\x00", "*?[]\r\n", "\ufdfa" * 10_000])
def test_any_name_is_a_short_key_of_hexadecimal_digits(name: str) -> None:
    assert len(folded(name)) == 32
    assert set(folded(name)) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ada", "ADA", True),
        ("ﬁ", "FI", True),
        ("straße", "STRASSE", True),
        ("ada", "ada ", False),
        ("a", "á", False),
    ],
)
def test_names_are_folded(one: str, other: str, same: bool) -> None:
    assert (folded(one) == folded(other)) is same


def test_without_a_request_there_is_no_address() -> None:
    assert address_of(None) == ""
    assert address_of(RequestFactory().get("/", REMOTE_ADDR=A)) == A
