"""A process with a wrong clock is wrong about the time of day, and about nothing else."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.paths import ROOT

WRONG_CLOCK = ROOT / "drills" / "wrong_clock"

pytestmark = pytest.mark.process
TELL = """
import datetime, json, time
from datetime import UTC
born = datetime.datetime(2020, 1, 1, tzinfo=UTC)
print(json.dumps({
    "time": time.time(), "time_ns": time.time_ns() / 1e9, "monotonic": time.monotonic(),
    "now": datetime.datetime.now(UTC).timestamp(), "utcnow": datetime.datetime.utcnow().replace(tzinfo=UTC).timestamp(),
    "is_one": isinstance(born, datetime.datetime), "born": born.isoformat(),
}))
"""


@pytest.mark.parametrize("seconds", [300, -300])
def test_only_the_time_of_day_is_wrong(seconds: int) -> None:
    told = time_seen_by(seconds)
    right = time_seen_by(0)
    for name in ("time", "time_ns", "now", "utcnow"):
        assert abs(told[name] - right[name] - seconds) < 60, name
    assert abs(told["monotonic"] - right["monotonic"]) < 60
    assert (told["is_one"], told["born"]) == (True, "2020-01-01T00:00:00+00:00")


def time_seen_by(seconds: int) -> dict[str, Any]:
    environment = os.environ | {"PYTHONPATH": str(WRONG_CLOCK), "DRILL_CLOCK_SECONDS": str(seconds)}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TELL],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    return found
