"""A drill names a step; without a drill nothing happens there."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from queueops.base import failpoints
from queueops.base.failpoints import Failpoint, FailpointError


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("claimed=kill", Failpoint("claimed", 1, "kill")),
        ("before_commit:3=raise", Failpoint("before_commit", 3, "raise")),
        ("before_ack:12=hang", Failpoint("before_ack", 12, "hang")),
    ],
)
def test_a_failpoint_is_a_step_a_pass_and_an_action(text: str, point: Failpoint) -> None:
    assert failpoints.parse(text) == point


@pytest.mark.parametrize(
    "text", ["claimed", "=kill", "nowhere=kill", "claimed=explode", "claimed:0=kill", "claimed:x=kill"]
)
def test_what_cannot_be_read_is_refused_with_what_it_may_be(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="one of enqueue_committed, claimed,"):
        failpoints.parse(text)


def test_it_acts_at_its_own_pass_of_its_own_step_and_only_there() -> None:
    reach = failpoints.armed(Failpoint("claimed", 2, "raise"))
    reach("claimed")
    reach("rendered")
    with pytest.raises(FailpointError):
        reach("claimed")
    reach("claimed")


def test_without_a_drill_reaching_a_step_is_an_empty_function() -> None:
    assert failpoints.reach is failpoints._nothing
