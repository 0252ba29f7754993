"""How many answers a process makes at once."""

import pytest

from config.serving.limits import Limits


@pytest.mark.parametrize(("threads", "streams"), [(1, 1), (2, 1), (3, 1), (8, 4)])
def test_those_who_do_not_read_leave_half_of_the_threads(threads: int, streams: int) -> None:
    assert Limits(threads=threads, body_bytes=1).streams == streams
