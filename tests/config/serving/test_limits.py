"""How many answers a process makes at once."""

import pytest

from config.serving.limits import Limits


@pytest.mark.parametrize(("threads", "streams"), [(1, 1), (2, 1), (3, 1), (8, 4)])
def test_clients_that_do_not_read_leave_half_of_the_threads_free(threads: int, streams: int) -> None:
    assert Limits(threads=threads, body_bytes=1).streams == streams
