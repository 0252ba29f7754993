"""Where no limit is set, a request of any size is sent at once."""

import sys

from embeddings.indexing.metering import FREE


def test_without_a_limit_requests_of_any_size_may_overlap() -> None:
    assert FREE.most_tokens == sys.maxsize
    with FREE.call(1), FREE.call(10**12):
        pass
