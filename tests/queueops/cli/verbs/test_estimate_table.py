"""How an analysis looks to people."""

import pytest

from queueops.cli.verbs.estimate_table import size


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (3 * 1024**4, "3.0 TiB")]
)
def test_bytes_are_told_in_the_unit_that_fits(count, text):
    assert size(count) == text
