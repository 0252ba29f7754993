"""Bytes per minute that every process logs under load while the broker refuses, is silent or is cut off."""

import argparse
import contextlib
import itertools
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from redis import Redis

from benchmarks.tools.report import machine, print_progress, versions
from benchmarks.tools.stack import TOKEN
from config.stack.processes import Process
from drills.faults import broker
from drills.system_under_test import System

_SECONDS = 60.0
_SECONDS_BETWEEN_LOADS = 0.1
_PROCESSES = "2"  # worker processes, as `./dev up` has them
# From one process, of one state: a dozen kinds of lines, each at growing intervals, of 300 bytes at most.
_KIB_IN_THE_FIRST_MINUTE = 16.0
_OF_OTHER_THINGS = ("batch settled", "API token")  # written whether or not there is a broker
_ROW = "{:<28} {:>8} {:>12} {:>12}"


@dataclass
class Heard:
    """Lines and bytes by the name of the process that wrote them."""

    lines: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)

    def hear(self, process: Process, line: str) -> None:
        """Counts one line that the broker may be the reason of."""
        if any(words in line for words in _OF_OTHER_THINGS):
            return
        self.lines[process.name] += 1
        self.bytes[process.name] += len(line.encode()) + 1
        self.samples.append(f"{process.name}: {line}")


@contextmanager
def _refusing_writes(system: System) -> Iterator[None]:
    """MISCONF, as where the disk is full: a snapshot that is wanted cannot be written."""
    folder = system.stack.valkey.data_dir
    with Redis.from_url(system.stack.valkey.url) as client:
        client.config_set("save", "3600 1")
        folder.chmod(0o500)
        with contextlib.suppress(Exception):
            client.bgsave()
        system.wait(
            lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "a snapshot that fails", 10
        )
        yield
        folder.chmod(0o700)
        client.config_set("save", "")


STATES: dict[str, Callable[[System], AbstractContextManager[None]]] = {
    "well": lambda _: contextlib.nullcontext(),
    "cut off": broker.cut_off,
    "silent": broker.silent,
    "refuses (MISCONF)": _refusing_writes,
    "out of memory (OOM)": broker.full,
    "replica (READONLY)": broker.replica,
}


def main(words: list[str] | None = None) -> int:
    options = _options(words)
    with System.running(EMBEDDING_CONCURRENT_WORKERS=_PROCESSES) as system:
        found = {name: _heard(system, STATES[name], options) for name in options.only}
    if options.json:
        print(json.dumps({"drill": "broker_log", "options": vars(options), "machine": machine(),
                          "versions": versions(), "results": found}, indent=2))  # fmt: skip
    else:
        print(_ROW.format("the broker is", "lines", "KiB/minute", "most of one"))
        for name, row in found.items():
            print(_ROW.format(name, row["lines"], row["kib_a_minute"], row["most_of_one_kib"]))
    return 0 if all(row["most_of_one_kib"] <= _KIB_IN_THE_FIRST_MINUTE for row in found.values()) else 1


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev drill broker_log", description=__doc__)
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="in each state")
    parser.add_argument("--only", choices=list(STATES), nargs="+", default=list(STATES))
    parser.add_argument("--show", action="store_true", help="print the lines on standard error")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(words)


def _heard(
    system: System, state: Callable[[System], AbstractContextManager[None]], options: argparse.Namespace
) -> dict[str, Any]:
    """Fresh processes, harmed for so long and then for as long not, so that the lines of coming back count too."""
    heard = Heard()
    system.fill(0)
    system.is_proxied = True
    workers, web = system.start_workers(), system.start_web()
    system.await_workers(int(_PROCESSES))
    loaded = threading.Event()
    load = threading.Thread(target=_load, args=[system.stack.web_url, loaded])
    for process in (workers.process, web.process, system.stack.valkey.process):
        process.on_line = heard.hear
    load.start()
    began = time.monotonic()
    with state(system):
        time.sleep(options.seconds)
    minutes = (time.monotonic() - began) / 60
    time.sleep(min(options.seconds, 10.0))
    loaded.set()
    load.join()
    system.stack.valkey.process.on_line = lambda _process, _line: None
    system.await_rest()
    web.stop()
    system.end_workers()
    if options.show:
        for line in heard.samples:
            print_progress(line)
    return {
        "lines": heard.lines.total(),
        "kib_a_minute": round(heard.bytes.total() / 1024 / minutes, 1),
        "most_of_one_kib": round(max(heard.bytes.values(), default=0) / 1024, 1),
        "by_process": {name: [heard.lines[name], heard.bytes[name]] for name in heard.lines},
    }


def _load(url: str, ends: threading.Event) -> None:
    """Saves, searches and wrong tokens, so that everybody who uses the broker does."""
    token = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=url, timeout=10) as client:
        for number in itertools.count():
            if ends.wait(_SECONDS_BETWEEN_LOADS):
                return
            with contextlib.suppress(httpx.HTTPError):
                text = {"title": f"Number {number} at {time.time()}", "content": f"Text {number}"}
                client.post("/api/articles", json=text, headers=token)
                client.post("/api/search", json={"query": f"text {number} {time.time()}"}, headers=token)
                client.get("/api/articles", headers={"Authorization": "Bearer of-nobody"})
                client.get("/health")


if __name__ == "__main__":
    sys.exit(main())
