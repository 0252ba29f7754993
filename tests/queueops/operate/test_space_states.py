"""The states that a change gives spaces: a table of cases."""

import pytest

from queueops.operate.space_states import ChangeRefused, SpaceChange, after, target_of


@pytest.mark.parametrize(
    ("change", "states", "target", "changed"),
    [
        ("cutover", {1: "serving", 2: "building"}, 2, {1: "standby", 2: "serving"}),
        ("cutover", {1: "serving", 2: "ready"}, 2, {1: "standby", 2: "serving"}),
        ("cutover", {2: "building"}, 2, {2: "serving"}),
        ("rollback", {1: "standby", 2: "serving"}, 1, {2: "standby", 1: "serving"}),
        ("rollback", {1: "standby", 2: "serving", 3: "building"}, 1, {2: "standby", 1: "serving"}),
        ("retire", {1: "standby", 2: "serving"}, 1, {1: "retired"}),
        ("retire", {1: "retired", 2: "serving"}, 1, {}),
        ("cancel", {1: "serving", 2: "building"}, 2, {2: "retired"}),
        ("cancel", {1: "serving", 2: "retired"}, 2, {}),
    ],
)
def test_a_change_sets_these_states_and_at_most_one_serves_after_each(
    change: str, states: dict[int, str], target: int, changed: dict[int, str]
) -> None:
    found = after(SpaceChange(change), states, target)
    assert found == changed
    current = dict(states)
    for pk, state in found.items():
        current[pk] = state
        assert list(current.values()).count("serving") <= 1, "in this order"


@pytest.mark.parametrize("change", SpaceChange)
@pytest.mark.parametrize("state", ["building", "ready", "standby", "serving", "retired"])
def test_every_other_state_is_refused_with_its_name(change: SpaceChange, state: str) -> None:
    allowed = {
        "cutover": {"building", "ready"},
        "rollback": {"standby"},
        "retire": {"standby", "retired"},
        "cancel": {"building", "ready", "retired"},
    }
    if state in allowed[change]:
        after(change, {7: state}, 7)
        return
    with pytest.raises(ChangeRefused, match=f"space 7 is {state}"):
        after(change, {7: state}, 7)


def test_a_space_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ChangeRefused, match="choose one of 1, 2"):
        after(SpaceChange.RETIRE, {1: "serving", 2: "standby"}, 3)


@pytest.mark.parametrize(
    ("change", "states", "target"),
    [
        ("cutover", {1: "serving", 2: "building", 3: "standby"}, 2),
        ("rollback", {1: "serving", 2: "building", 3: "standby"}, 3),
        ("retire", {1: "serving", 3: "standby", 4: "retired"}, 3),
    ],
)
def test_the_only_space_that_fits_need_not_be_named(change: str, states: dict[int, str], target: int) -> None:
    assert target_of(SpaceChange(change), states) == target


def test_several_that_fit_are_a_question() -> None:
    with pytest.raises(ChangeRefused, match=r"there are 2 \(1, 2\): name its id with --space"):
        target_of(SpaceChange.RETIRE, {1: "standby", 2: "standby"})


@pytest.mark.parametrize(
    ("states", "there"),
    [
        ({1: "serving"}, "1 is serving"),
        ({1: "serving", 2: "retired"}, "1 is serving, 2 is retired; name a retired one with --space .* left"),
        ({}, "there is none"),
    ],
)
def test_where_none_fits_the_refusal_names_what_there_is_and_asks_for_no_id(
    states: dict[int, str], there: str
) -> None:
    with pytest.raises(ChangeRefused, match=f"takes a space that is standby: {there}$"):
        target_of(SpaceChange.RETIRE, states)
