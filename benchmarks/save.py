"""How fast articles are saved over the API: with the queue on, with embedding disabled, and with embedding inside the
request. Beside them, in the same rounds, the floor: the same rows written by hand, without a framework."""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.tools import http_load, texts
from benchmarks.tools.report import latencies, print_progress, print_result, spread
from benchmarks.tools.stack import TOKEN, Stack, own_stack, wait_until
from benchmarks.tools.usage import Usage

_MODES = ["disabled", "queued", "synchronous"]
_FLOOR = "floor"
_RATIOS = {
    "queued_to_disabled_p50": ("queued", "disabled", "p50_ms"),
    "queued_share_of_floor": ("queued", _FLOOR, "requests_per_second"),
}
# a process reads the mode at most a second late
_UNTIL_SEEN_SECONDS = 1.2
_WARM_UP = 400
_NOTHING_LEFT = "SELECT count(*) = 0 FROM embedding_tasks WHERE status IN ('pending', 'processing')"


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    with own_stack() as stack, stack.workers():
        stack.web()
        floor_url = stack.floor()
        stack.provider.configure(latency_ms=options.latency_ms)
        rounds: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for number in range(-options.warm_up, options.rounds):
            for mode in [_FLOOR, *options.modes]:
                url = floor_url if mode == _FLOOR else stack.web_url
                found = _round(stack, options, mode, number, url)
                if number >= 0:
                    rounds[mode].append(found)
                    print_progress(f"round {number + 1}, {mode}: {found}")
        print_result("save", options, _summary(rounds))


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench save", description=__doc__)
    parser.add_argument(
        "--n", type=int, default=4_000, help="articles a round, a fifth of it when synchronous"
    )
    parser.add_argument("--modes", nargs="+", choices=_MODES, default=_MODES, help="besides the floor")
    parser.add_argument("--rounds", type=int, default=5, help="of each mode, one after another")
    parser.add_argument("--warm-up", type=int, default=1, help="shorter rounds before that do not count")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--latency-ms", type=float, default=50, help="of the provider")
    return parser.parse_args(words)


def _round(stack: Stack, options: argparse.Namespace, mode: str, number: int, url: str) -> dict[str, Any]:
    """One load; rounds below zero warm up and do not count. The floor's rows wake no worker."""
    stack.empty()
    stack.database.execute("UPDATE queue_state SET mode = %s", [mode if mode != _FLOOR else "disabled"])
    stack.settle_down()
    stack.pause(_UNTIL_SEEN_SECONDS)
    count = _WARM_UP if number < 0 else options.n if mode != "synchronous" else options.n // 5
    bodies = _bodies(stack.data_dir / "bodies.jsonl", min(count, options.n))
    with Usage(stack.pids[url]) as web:
        load = http_load.run(f"{url}/api/articles", TOKEN, options.connections, bodies)
    assert set(load.statuses) == {"201"}, (load.statuses, stack.web_lines())
    if mode != _FLOOR:
        wait_until(lambda: stack.value(_NOTHING_LEFT), "the workers to finish")
    return {
        "requests_per_second": round(len(load.latencies) / load.seconds),
        # a request, all web processes together
        "web_cpu_ms": round((web.seconds or 0.0) / len(load.latencies) * 1_000, 2),
        **latencies(load.latencies),
    }


def _bodies(path: Path, count: int) -> Path:
    with path.open("w") as file:
        for text in texts.articles(count):
            file.write(json.dumps({"title": text.title, "content": text.content}) + "\n")
    return path


def _summary(rounds: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    summary: dict[str, Any] = {
        mode: {name: spread([found[name] for found in every], 2) for name in every[0]}
        for mode, every in rounds.items()
    }
    for name, (numerator, denominator, figure) in _RATIOS.items():
        if {numerator, denominator} <= rounds.keys():
            pairs = zip(rounds[numerator], rounds[denominator], strict=True)
            summary[name] = spread([ours[figure] / other[figure] for ours, other in pairs], 3)
    return summary


if __name__ == "__main__":
    main()
