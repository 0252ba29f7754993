"""The decision for each error class."""

from typing import Any

import pytest

from embeddings.providers.errors import ErrorClass
from queueops.engine.retry_policy import Decision, Verdict, backoff, decide

IN_LINE = Decision(Verdict.DEFER, 0.0)


def decision(
    kind: ErrorClass,
    attempts: int = 1,
    max_attempts: int = 3,
    retry_after: float | None = None,
    draw: float = 0.0,
    **provider: Any,
) -> Decision:
    return decide(
        kind,
        attempts=attempts,
        max_attempts=max_attempts,
        base_seconds=1.0,
        retry_after=retry_after,
        draw=draw,
        **provider,
    )


@pytest.mark.parametrize(
    ("kind", "arguments", "expected"),
    [
        (ErrorClass.TRANSIENT, {"attempts": 1}, Decision(Verdict.RETRY, 0.5)),
        (ErrorClass.TRANSIENT, {"attempts": 1, "draw": 0.5}, Decision(Verdict.RETRY, 0.75)),
        (ErrorClass.TRANSIENT, {"attempts": 2}, Decision(Verdict.RETRY, 1.0)),
        (ErrorClass.TRANSIENT, {"attempts": 3}, Decision(Verdict.PARK)),
        (ErrorClass.TRANSIENT, {"attempts": 4}, Decision(Verdict.PARK)),
        (ErrorClass.PROVIDER_LOST, {"attempts": 1}, Decision(Verdict.RETRY, 0.5)),
        (ErrorClass.PROVIDER_LOST, {"attempts": 3}, Decision(Verdict.PARK)),
        (ErrorClass.PROVIDER_LOST, {"attempts": 3, "may_be_cut": True}, Decision(Verdict.CUT, 0.5)),
        (ErrorClass.PROVIDER_LOST, {"attempts": 2, "may_be_cut": True}, Decision(Verdict.RETRY, 1.0)),
        (ErrorClass.PROVIDER_LOST, {"attempts": 9, "is_out": True, "may_be_cut": True}, IN_LINE),
        (
            ErrorClass.PROVIDER_LOST,
            {"attempts": 3, "is_out": True, "is_canary": True, "may_be_cut": True},
            Decision(Verdict.CUT, 1.0),
        ),
        (
            ErrorClass.PROVIDER_LOST,
            {"attempts": 2, "is_out": True, "is_canary": True, "may_be_cut": True},
            Decision(Verdict.DEFER, 1.0),
        ),
        (ErrorClass.TRANSIENT, {"attempts": 3, "may_be_cut": True}, Decision(Verdict.PARK)),
        (ErrorClass.PROVIDER_LOST, {"attempts": 9, "is_out": True}, IN_LINE),
        (ErrorClass.PROVIDER_LOST, {"is_out": True, "is_canary": True}, Decision(Verdict.DEFER, 1.0)),
        (ErrorClass.INVALID_INPUT, {}, Decision(Verdict.PARK)),
        (ErrorClass.TOO_LONG, {}, Decision(Verdict.PARK)),
        (ErrorClass.TRANSIENT, {"attempts": 9, "is_out": True}, IN_LINE),
        (ErrorClass.TRANSIENT, {"is_out": True, "is_canary": True}, Decision(Verdict.DEFER, 1.0)),
        (ErrorClass.TRANSIENT, {"is_canary": True}, Decision(Verdict.RETRY, 0.5)),
        (ErrorClass.INVALID_INPUT, {"is_out": True, "is_canary": True}, Decision(Verdict.PARK)),
        (ErrorClass.RATE_LIMITED, {}, IN_LINE),
        (ErrorClass.POSTPONED, {"attempts": 99}, IN_LINE),
        (ErrorClass.RATE_LIMITED, {"retry_after": 7.0, "attempts": 99}, IN_LINE),
        (ErrorClass.RATE_LIMITED, {"retry_after": 1e9}, IN_LINE),
        (ErrorClass.PROVIDER_DOWN, {"attempts": 99}, Decision(Verdict.DEFER, 2.0)),
        (ErrorClass.PROVIDER_DOWN, {"draw": 1.0}, Decision(Verdict.DEFER, 2.5)),
        (ErrorClass.PROVIDER_DOWN, {"retry_after": 7.0}, Decision(Verdict.DEFER, 7.0)),
        (ErrorClass.PROVIDER_DOWN, {"retry_after": 0.0}, Decision(Verdict.DEFER, 2.0)),
        (ErrorClass.PROVIDER_DOWN, {"retry_after": 1e9}, Decision(Verdict.DEFER, 60.0)),
        (ErrorClass.PROVIDER_DOWN, {"attempts": 99, "is_out": True}, IN_LINE),
        (ErrorClass.PROVIDER_DOWN, {"is_out": True, "is_canary": True}, Decision(Verdict.DEFER, 1.0)),
        (ErrorClass.AUTH, {"attempts": 99}, IN_LINE),
        (ErrorClass.TRANSIENT, {"attempts": 99, "has_progressed": True}, Decision(Verdict.DEFER, 0.5)),
        (ErrorClass.PROVIDER_LOST, {"attempts": 99, "has_progressed": True}, Decision(Verdict.DEFER, 0.5)),
        (ErrorClass.INVALID_INPUT, {"has_progressed": True}, Decision(Verdict.PARK)),
    ],
)
def test_the_class_of_an_error_decides_what_follows(
    kind: ErrorClass, arguments: dict[str, Any], expected: Decision
) -> None:
    assert decision(kind, **arguments) == expected


@pytest.mark.parametrize("kind", ErrorClass)
def test_every_class_has_a_decision(kind: ErrorClass) -> None:
    assert decision(kind).verdict in Verdict


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1.0), (2, 2.0), (3, 4.0), (12, 2048.0), (99, 3600.0)])
def test_backoff_doubles_up_to_an_hour(attempts: int, seconds: float) -> None:
    assert backoff(attempts, 1.0, draw=0.0) == seconds / 2
    assert backoff(attempts, 1.0, draw=0.999999) == pytest.approx(seconds, rel=1e-3)
