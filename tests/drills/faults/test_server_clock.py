"""The short form of the drill that steps the server's clock. By SQL, the same is tested in
tests/queueops/maintenance/test_clock_repair.py."""

import json
import subprocess
import sys

import pytest

from drills.faults.server_clock import MISSING, library
from tests.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(library() is None, reason=MISSING)]


@pytest.mark.parametrize("fault", ["server's clock 1 h ahead", "server's clock 1 h behind"])
def test_an_hour_of_the_servers_clock_loses_nothing_and_charges_nothing(fault: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "drills.faults", "--only", fault, "--articles=100", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout
    (row,) = json.loads(ran.stdout)["rows"]
    assert (row["fault"], row["trials"], row["lost"], row["broken"]) == (fault, 1, 0, 0)
