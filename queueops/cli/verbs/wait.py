"""The verb that waits until no task is left, or the queue is stuck."""

import time

from lib.durations import age
from queueops.cli.frame import arguments
from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit
from queueops.cli.frame.verb import Options, VerbGroup
from queueops.monitoring import drain_progress
from queueops.monitoring.drain_progress import DrainState, Remaining

family = VerbGroup("Wait")

_EVERY_SECONDS = 1.0
# A single reading may fall between the old and the new workers of a restart.
_STUCK_READINGS = 3
_MOST_SECONDS = 7 * 86_400


def _arguments(parser: Options) -> None:
    parser.add_argument(
        "--timeout",
        type=arguments.whole(0, _MOST_SECONDS),
        metavar="SECONDS",
        help="longest wait (default: no limit)",
    )


@family.verb(
    "wait-for-completion",
    "wait until no task is left; exit with 0, with 1 after the timeout, with 2 if paused or stuck",
    arguments=_arguments,
    keys=("state", "left", "reason", "seconds"),
)
def wait_for_completion(console: Console, *, timeout: int | None) -> Exit:
    began = time.monotonic()
    ends = None if timeout is None else began + timeout
    found = _wait(console, ends)
    took = time.monotonic() - began
    state = "timed out" if found.state is DrainState.WORKING else found.state.value
    fields = {"state": state.replace(" ", "_"), "left": found.left, "reason": found.reason}
    console.print_result(fields | {"seconds": round(took, 1)}, _sentence(found, took))
    return _EXITS[found.state]


_EXITS = {DrainState.DRAINED: Exit.OK, DrainState.WORKING: Exit.PARTLY, DrainState.STUCK: Exit.TROUBLE}


def _wait(console: Console, ends: float | None) -> Remaining:
    """The last reading: drained, stuck several times in a row, or the one at the timeout."""
    stuck, most = 0, 0
    with console.progress("Tasks ended") as steps:
        while True:
            found = drain_progress.look()
            most = max(most, found.left)
            steps.set(most - found.left, most)
            stuck = stuck + 1 if found.state is DrainState.STUCK else 0
            if (
                found.state is DrainState.DRAINED
                or stuck >= _STUCK_READINGS
                or (ends and time.monotonic() >= ends)
            ):
                return found
            time.sleep(_EVERY_SECONDS)


def _sentence(found: Remaining, took: float) -> str:
    if found.state is DrainState.DRAINED:
        return f"Drained: no task is left (after {age(took)})."
    left = "about 1 task is left" if found.left == 1 else f"about {found.left:,} tasks are left"
    if found.state is DrainState.STUCK:
        return f"Stuck: {left}. {found.reason}"
    return f"Timed out after {age(took)}: {left}."
