"""One thread of a process is always free for fresh edits."""

import contextlib

import pytest

from queueops.lanes import Lanes


@pytest.mark.parametrize(("threads", "backfilling"), [(1, 1), (2, 1), (4, 3)])
def test_all_threads_but_one_may_take_the_lowest_rank(threads: int, backfilling: int):
    lanes = Lanes(threads)
    with contextlib.ExitStack() as held:
        answers = [held.enter_context(lanes.enter()) for _ in range(threads)]
    assert answers.count(True) == backfilling


def test_a_lane_is_free_again_after_its_batch_whatever_happened():
    lanes = Lanes(2)
    with contextlib.suppress(ZeroDivisionError), lanes.enter():
        _ = 1 / 0
    with lanes.enter() as may_backfill:
        assert may_backfill
