"""The verbs that write the plan down, and walk it."""

import pytest

from queueops.operate.rollback import scratch_database
from tests.queueops.cli_runner import called
from tests.queueops.operate.rollback.test_scratch_database import databases


@pytest.mark.django_db
def test_a_dry_run_of_the_drill_makes_nothing() -> None:
    said = called("rollback_drill", "--dry-run").out
    assert f"the database {scratch_database.name()}" in said
    assert "emergency stop" in said
    assert scratch_database.name() not in databases()
