"""Which states of spaces a change of the serving space passes through; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from embeddings.models import SpaceState

_BUILT = (SpaceState.BUILDING, SpaceState.READY)


class SpaceChange(StrEnum):
    CUT_OVER = "cutover"
    ROLL_BACK = "rollback"
    RETIRE = "retire"
    CANCEL = "cancel"


@dataclass(frozen=True)
class _Rule:
    """The states in which a change takes a space, the one it gives it, and the one it gives the serving space."""

    of: tuple[SpaceState, ...]
    becomes: SpaceState
    serving_becomes: SpaceState = SpaceState.SERVING


RULES = {
    SpaceChange.CUT_OVER: _Rule(_BUILT, SpaceState.SERVING, SpaceState.STANDBY),
    SpaceChange.ROLL_BACK: _Rule((SpaceState.STANDBY,), SpaceState.SERVING, SpaceState.STANDBY),
    SpaceChange.RETIRE: _Rule((SpaceState.STANDBY, SpaceState.RETIRED), SpaceState.RETIRED),
    SpaceChange.CANCEL: _Rule((*_BUILT, SpaceState.RETIRED), SpaceState.RETIRED),
}


class ChangeRefused(Exception):
    """Why a space cannot be changed now, in a sentence without its full stop."""


def target_of(change: SpaceChange, states: Mapping[int, str]) -> int:
    """The space that a change is about if none was named: the only one that it can take and that is not retired."""
    able = [pk for pk, state in states.items() if state in RULES[change].of and state != SpaceState.RETIRED]
    if len(able) == 1:
        return able[0]
    wanted = " or ".join(state for state in RULES[change].of if state != SpaceState.RETIRED)
    if not able:
        there = ", ".join(f"{pk} is {state}" for pk, state in states.items()) or "there is none"
        is_again = SpaceState.RETIRED in RULES[change].of and SpaceState.RETIRED in states.values()
        again = (
            "; name a retired one with --space to remove what an interrupted command left" if is_again else ""
        )
        raise ChangeRefused(f"{change} takes a space that is {wanted}: {there}{again}")
    raise ChangeRefused(
        f"{change} takes a space that is {wanted}, and there are {len(able)} ({', '.join(map(str, able))}): name its "
        "id with --space"
    )


def after(change: SpaceChange, states: Mapping[int, str], target: int) -> dict[int, str]:
    """The states that change, by space, in an order in which at most one space serves after each. Raises
    ChangeRefused."""
    rule = RULES[change]
    if target not in states:
        raise ChangeRefused(
            f"there is no space {target}: choose one of {', '.join(map(str, states)) or 'none'}"
        )
    if states[target] not in rule.of:
        allowed = " or ".join(rule.of)
        raise ChangeRefused(f"space {target} is {states[target]}, and {change} takes one that is {allowed}")
    serving = [pk for pk, state in states.items() if state == SpaceState.SERVING]
    left = {pk: str(rule.serving_becomes) for pk in serving} | {target: str(rule.becomes)}
    return {pk: state for pk, state in left.items() if states[pk] != state}
