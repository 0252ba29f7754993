"""Each benchmark runs to its end on tiny numbers and prints JSON with a figure in it; no time is asserted."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.paths import ROOT

pytestmark = pytest.mark.slow
TINY = {
    "drain": ["--n=60", "--repeat=1", "--latency-ms", "0", "--processes", "1", "--threads", "2"],
    "save": ["--n=15", "--rounds=1", "--connections=3", "--latency-ms=0", "--warm-up=0"],
    "freshness": ["--rounds=2", "--warm-up=1", "--corpus=20"],
    "search": ["--n=300", "--queries=5"],
    "import": ["--n=200"],
    "faults": ["--n=300", "--rounds=1", "--latency-ms=0", "--faults", "1% poison"],
    "cli": ["--n=200", "--repeat=1", "--no-memory"],
    "backfill": ["--n=300", "--edits=2", "--latency-ms=20"],
    "migrate": ["--n=200"],
    "long-pages": ["--folder=docs", "--characters=20000", "--slice-seconds=1"],
    "quality": ["--questions=6", "--vectors="],
    "local-searches": ["--n=60", "--rounds=1", "--slice-seconds=1"],
    "memory": ["--rest=0", "--idle-seconds=1"],
    "bulk": ["--n=300", "--latency-ms=20", "--alone-seconds=0.3"],
    "scale": ["--sizes", "400", "800", "--rounds=1", "--churn=200"],
    "all": ["--quick", "--rounds=1", "--only", "search"],
}
FIGURES: dict[str, Callable[[Any], float]] = {
    "drain": lambda found: found[0]["docs_per_second"]["median"],
    "save": lambda found: found["queued_to_disabled_p50"]["median"],
    "freshness": lambda found: found["edit"]["saved_to_found"]["p50_ms"],
    "search": lambda found: found["all"]["recall_at_10"],
    "import": lambda found: found["first"]["articles_per_second"],
    "faults": lambda found: found[1]["parked"],
    "cli": lambda found: found["verbs"]["status"]["answer"]["p50_ms"],
    "backfill": lambda found: found["saved_to_embedded"]["p50_ms"],
    "migrate": lambda found: found["run"]["enqueue_seconds"],
    "long-pages": lambda found: found["passages_computed"],
    "quality": lambda found: found["reporting"]["hybrid"]["first"],
    "local-searches": lambda found: found["in_backfill"]["p50_ms"],
    "memory": lambda found: min(member["pss_mib"] for member in found["members"]),
    "bulk": lambda found: found["acts"][0]["tasks_per_second"],
    "scale": lambda found: found["operations"][0]["growth"]["pages"],
    "all": lambda found: found["comparison"][0]["ratio"]["median"],
}


@pytest.mark.parametrize("name", TINY)
def test_a_benchmark_runs_to_its_end_and_prints_json(name: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *TINY[name]],
        cwd=ROOT,
        env=os.environ | {"BENCHMARK_PROCESSES": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["benchmark"] == name
    assert told["machine"]["cores"] > 0
    assert told["versions"]["django"]
    assert FIGURES[name](told["results"]) > 0


def test_every_benchmark_is_tried_here() -> None:
    assert {path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py")} == TINY.keys()
