"""What a provider's faults cost: the same backlog without any and with some, in turn, on the same worker processes."""

import argparse
import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.tools import draining
from benchmarks.tools.report import print_progress, print_result, spread
from benchmarks.tools.stack import Stack, own_stack, wait_until

NONE = "none"
# In the title of every hundredth of the benchmarks' articles, the first left out.
_POISON = "00 of 7 about"
FAULTS: dict[str, dict[str, Any]] = {
    "5% 429": {"rate_429": 0.05},
    "5% 500": {"rate_500": 0.05},
    "1% poison": {"poison": _POISON},
}
_SOUND = {"rate_429": 0, "rate_500": 0, "poison": ""}
_WARM_UP = 4_000
_IS_AT_REST = "SELECT NOT EXISTS (SELECT 1 FROM embedding_tasks WHERE status IN ('pending', 'processing'))"
_ENDED_AS = "SELECT count(*) FROM embedding_tasks WHERE status = %s"


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    names = [NONE, *(name for name in FAULTS if name in options.faults)]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with own_stack() as stack, stack.workers():
        _run(stack, options, min(options.n, _WARM_UP), NONE, seed=0)
        for number in range(1, options.rounds + 1):
            for name in names:
                runs[name].append(_run(stack, options, options.n, name, number))
                print_progress(f"{number}/{options.rounds} {name}: {runs[name][-1]}")
        print_result("faults", options, [_row(name, runs[name], runs[NONE]) for name in names])


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench faults", description=__doc__)
    add = parser.add_argument
    add("--n", type=int, default=20_000, help="articles")
    add("--rounds", type=int, default=5)
    add("--latency-ms", type=float, default=50, help="of the provider")
    add("--retry-after", default="1", help="seconds that a 429 asks for")
    add("--faults", nargs="*", default=list(FAULTS), choices=list(FAULTS))
    return parser.parse_args(words)


def _run(stack: Stack, options: argparse.Namespace, count: int, name: str, seed: int) -> dict[str, Any]:
    """One backlog to its end. Wanted are full requests; sent again is a text that was in another request before; paid
    extra are vectors beyond one for each article, among them those of harmless texts that find the fault."""
    draining.fill(stack, count)
    stack.database.execute("DELETE FROM provider_states")  # no breaker that another run has opened
    fixed = {"latency_ms": options.latency_ms, "retry_after": options.retry_after, "seed": seed}
    stack.provider.configure(**fixed | _SOUND | FAULTS.get(name, {}))
    draining.resume(stack)
    wait_until(lambda: bool(stack.value(_IS_AT_REST)), f"{count} tasks to end")
    stats = stack.provider.stats()
    completed, parked = (stack.value(_ENDED_AS, status) for status in ("completed", "failed"))
    assert completed + parked == count, f"{count - completed - parked} tasks are lost"
    return {
        "docs_per_second": round(draining.speed(stack)),
        "requests": stats["requests"],
        "requests_wanted": -(-count // stack.load("embeddings.providers.openai.OPENAI_LIMITS").batch),
        "faults": sum(stats["status"].values()) - stats["status"].get("200", 0),
        "texts_sent_again": stats["texts"] - stats["distinct_texts"],
        "texts_paid_extra": stats["embedded"] - completed,
        "parked": parked,
    }


def _row(name: str, runs: Sequence[dict[str, Any]], sound: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A fault's runs, each beside the run without faults of its own round."""
    pairs = list(zip(runs, sound, strict=True))
    ratios = [run["docs_per_second"] / other["docs_per_second"] for run, other in pairs]
    counted = ("requests", "requests_wanted", "faults", "texts_sent_again", "texts_paid_extra", "parked")
    return {
        "fault": name,
        "docs_per_second": spread([run["docs_per_second"] for run in runs]),
        "of_fault_free": spread(ratios, 3),
        "requests_to_fault_free": round(
            statistics.median(run["requests"] / other["requests"] for run, other in pairs), 3
        ),
        **{field: statistics.median(run[field] for run in runs) for field in counted},
        "runs": list(runs),
    }


if __name__ == "__main__":
    main()
