"""The filters and the processor by themselves; test_logs.py has them on the lines that are written."""

import logging
import sys
from typing import Any

import pytest
from django.core.exceptions import SuspiciousOperation
from dramatiq.errors import BrokerConnectionError
from redis.exceptions import AuthenticationError

from config.log_bounds import A_MINUTE, WHILE_THE_BROKER_FAILS, BrokerFailures, RefusedRequests, unforgeable


def record(
    message: Any, error: Exception | None = None, name: str = "some.logger", *args: object
) -> logging.LogRecord:
    info: Any = None
    if error:
        try:
            raise error
        except Exception:
            info = sys.exc_info()
    return logging.LogRecord(name, logging.ERROR, "file.py", 1, message, args, info)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


# --- what strangers can make us log -----------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "name"), [(None, "some.logger"), (LookupError("x"), "django.request")])
def test_a_line_of_ours_passes_as_it_is(error: LookupError | None, name: str) -> None:
    line = record("message", error, name)
    assert all(RefusedRequests().filter(line) for _ in range(10 * A_MINUTE))
    assert (line.exc_info is not None) is (error is not None)


@pytest.mark.parametrize(
    ("error", "name"),
    [(SuspiciousOperation("x" * 10_000), "django.request"), (None, "django.security.DisallowedHost")],
)
def test_a_line_of_a_stranger_is_short_and_so_many_a_minute_are_let_through(
    error: SuspiciousOperation | None, name: str
) -> None:
    strangers = RefusedRequests()
    lines = [record("%s", error, name, "y" * 10_000) for _ in range(3 * A_MINUTE)]
    passed = [line for line in lines if strangers.filter(line)]
    assert len(passed) == A_MINUTE
    assert all(len(line.getMessage()) <= 300 and line.exc_info is None for line in passed)


def test_each_kind_is_counted_by_itself() -> None:
    strangers = RefusedRequests()
    for _ in range(A_MINUTE + 1):
        strangers.filter(record("m", None, "django.security.a"))
    assert not strangers.filter(record("m", None, "django.security.a"))
    assert strangers.filter(record("m", None, "django.security.b"))


# --- while the broker fails -------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [AuthenticationError("no"), BrokerConnectionError("no")])
def test_an_error_of_the_broker_is_logged_once_and_then_ever_more_rarely(
    error: AuthenticationError | BrokerConnectionError,
) -> None:
    clock = Clock()
    failures = BrokerFailures(clock)
    passed = []
    for second in range(600):
        clock.now = float(second)
        line = record("Consumer failed", error, "dramatiq.worker")
        if failures.filter(line):
            passed.append((second, line.getMessage()))
    assert [second for second, _ in passed] == [0, 60, 180, 420]
    assert type(error).__name__ in passed[0][1]
    assert "59" in passed[1][1]  # so many were left out


@pytest.mark.parametrize("begins", WHILE_THE_BROKER_FAILS)
def test_what_is_said_meanwhile_is_known_by_its_first_words(begins: str) -> None:
    failures = BrokerFailures(Clock())
    assert failures.filter(record(f"{begins} and more"))
    assert not failures.filter(record(f"{begins} and something else"))
    assert failures.filter(record({"event": begins, "error": "Another"}))
    assert not failures.filter(record({"event": begins, "error": "Another"}))


def test_another_kind_of_error_is_a_line_at_once() -> None:
    failures = BrokerFailures(Clock())
    for error in (AuthenticationError("a"), BrokerConnectionError("b")):
        assert failures.filter(record("m", error, "dramatiq.x"))
        assert not failures.filter(record("m", error, "dramatiq.x"))


@pytest.mark.parametrize(
    ("error", "name"), [(AuthenticationError("x"), "ours"), (LookupError("x"), "dramatiq.worker")]
)
def test_lines_other_than_failures_of_the_broker_are_never_left_out(
    error: AuthenticationError | LookupError, name: str
) -> None:
    failures = BrokerFailures(Clock())
    assert all(failures.filter(record("m", error, name)) for _ in range(100))


# --- nothing forges a line --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["a\nb", "a\r\x1b[2Kb", "\u202e", "\u2028", "\x00"])
def test_a_text_is_one_line_that_hides_nothing(value: str) -> None:
    event = unforgeable(None, "info", {"event": value, "key": value, "n": 1})
    assert (event["n"], event["event"]) == (1, event["key"])
    assert event["key"] != value
    assert event["key"].isprintable()


class Hiding:
    def __repr__(self) -> str:
        return "a\n12:00:00 all is well\x1b[2J\u202e"


@pytest.mark.parametrize("value", [Hiding(), [Hiding()], {"k": Hiding()}])
def test_hidden_characters_of_a_value_are_escaped(value: Hiding | list[Hiding] | dict[str, Hiding]) -> None:
    shown = unforgeable(None, "info", {"event": "e", "value": value})["value"]
    assert isinstance(shown, str)
    assert shown.isprintable()


@pytest.mark.parametrize("value", [1, 1.5, None, True, ["plain"], {"k": "ä"}])
def test_a_plain_value_stays_what_it_is(value: Any) -> None:
    assert unforgeable(None, "info", {"event": "e", "value": value})["value"] is value


def test_a_stack_trace_is_set_in_from_the_margin() -> None:
    try:
        raise ValueError("x\n12:00:00 [info] all is well\x1b[2J")
    except ValueError:
        event = unforgeable(None, "error", {"event": "e", "exc_info": True})
    lines = event["exception"].split("\n")
    assert all(line.startswith("    ") for line in lines)
    assert "\x1b" not in event["exception"]
    assert "exc_info" not in event
