"""The memory of a whole installation at rest: the share of each of its processes (PSS), as a table and as JSON.

A page that several processes share counts for each by its part, so that the sum is what the machine has given. Without
options an installation of its own is started as `./dev up` does, local embedder included, and left alone for some time.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.tools import proportional
from benchmarks.tools.proportional import Share
from benchmarks.tools.report import print_progress, print_result
from benchmarks.tools.stack import free_port, wait_until
from benchmarks.tools.usage import Usage

_ROOT = Path(__file__).resolve().parent.parent
_BOOT_SECONDS = 180.0
_UP = "Vectorpress is up"
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
# The first of these that the command line holds names the member.
_MEMBERS = {
    "local_embedder": "embedder",
    "granian": "web",
    "--kept-by": "worker",
    "process_supervisor": "workers' supervisor",
    "kill_switch": "kill switch",
    "valkey-server": "valkey",
    "postgres": "postgres",
    "runstack": "supervisor",
}


def main(words: list[str] | None = None) -> None:
    options = _options(words)
    if not proportional.is_known():
        sys.exit("memory: only Linux tells the share of a process (/proc/PID/smaps_rollup).")
    with _supervisor(options) as pid:
        print_progress(f"leaving it alone for {options.rest:g} s")
        time.sleep(options.rest)
        idle = _idle_share(pid, options.idle_seconds)
        members = _by_member(proportional.of_tree(pid))
    _print_table(members)
    total = round(sum(member["pss_mib"] for member in members), 1)
    print_result(
        "memory", options, {"total_pss_mib": total, "idle_share_of_a_core": idle, "members": members}
    )


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench memory", description=__doc__)
    parser.add_argument("--running", type=int, metavar="PID", help="measure this running `runstack` instead")
    parser.add_argument("--rest", type=float, default=20, help="seconds before it is measured")
    parser.add_argument(
        "--idle-seconds", type=float, default=0, help="measure the processor time of so many seconds, too"
    )
    return parser.parse_args(words)


@contextlib.contextmanager
def _supervisor(options: argparse.Namespace) -> Iterator[int]:
    """The pid of a supervisor whose installation is ready."""
    if options.running:
        yield options.running
        return
    with (
        tempfile.TemporaryDirectory(prefix="vectorpress-bench-") as folder,
        _started(Path(folder)) as started,
    ):
        yield started.pid


@contextlib.contextmanager
def _started(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An installation with the default settings and an empty database."""
    print_progress("starting an installation")
    folder.chmod(0o755)  # started by root, it runs as an account of its own
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {"DATA_DIR": str(folder / "data"), "PORT": str(free_port()), "ENV_FILE": "none"}
    log = folder / "log"
    with log.open("wb") as output:
        started = subprocess.Popen(
            [sys.executable, "manage.py", "runstack", "--no-import"],
            cwd=_ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: _is_up(started, log), "the start", _BOOT_SECONDS)
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait()


def _is_up(started: subprocess.Popen[bytes], log: Path) -> bool:
    text = log.read_text(errors="replace")
    if started.poll() is not None:
        raise RuntimeError(f"the installation did not start:\n{text}")
    return _UP in text


def _idle_share(pid: int, seconds: float) -> float | None:
    """The part of a core that the installation takes while nobody asks for anything; None where it is not measured."""
    if not seconds:
        return None
    with Usage(pid, every=seconds) as usage:
        time.sleep(seconds)
    return round((usage.seconds or 0.0) / seconds, 4)


def _by_member(shares: Sequence[Share]) -> list[dict[str, Any]]:
    """The processes of each member together, the largest first."""
    named: dict[str, list[Share]] = defaultdict(list)
    for share in shares:
        named[_name(share)].append(share)
    found = [_member(name, own) for name, own in named.items()]
    return sorted(found, key=lambda member: -member["pss_mib"])


def _member(name: str, own: Sequence[Share]) -> dict[str, Any]:
    return {
        "member": name,
        "processes": len(own),
        "pss_mib": round(sum(share.pss_mib for share in own), 1),
        "anonymous_mib": round(sum(share.anonymous_mib for share in own), 1),
        "each_pss_mib": [round(share.pss_mib, 1) for share in own],
    }


def _name(share: Share) -> str:
    return next((name for part, name in _MEMBERS.items() if part in share.command), "other")


def _print_table(members: Sequence[dict[str, Any]]) -> None:
    print_progress(f"{'member':<20} {'processes':>9} {'PSS MiB':>9} {'anonymous':>10}")
    for member in members:
        _print_row(member["member"], [member])
    _print_row("all", members)


def _print_row(name: str, members: Sequence[dict[str, Any]]) -> None:
    processes, pss, anonymous = (
        sum(member[column] for member in members) for column in ("processes", "pss_mib", "anonymous_mib")
    )
    print_progress(f"{name:<20} {processes:>9} {pss:>9.1f} {anonymous:>10.1f}")


if __name__ == "__main__":
    main()
