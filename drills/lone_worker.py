"""Workers without a master, each a fork that dies at a step of its own: python -m drills.lone_worker STEP=kill …

One start of Django serves them all. Prints JSON at the end: step → exit code, negative for a signal.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django
import dramatiq
from django.utils.module_loading import import_string

_LOOK_MILLISECONDS = 50


def main() -> None:
    django.setup()
    import_string("queueops.actors.embed_due")  # declares the actors
    failpoints = import_string("queueops.base.failpoints")
    forks = {_fork(failpoints, words): words.partition("=")[0] for words in sys.argv[1:]}
    ends = {name: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid, name in forks.items()}
    print(json.dumps(ends), flush=True)


def _fork(failpoints: Any, words: str) -> int:
    """The fork's pid; the fork itself works until its failpoint ends it."""
    if pid := os.fork():
        return pid
    arm: Callable[[Any], Any] = failpoints.armed
    failpoints.reach = arm(failpoints.parse(words))
    dramatiq.Worker(dramatiq.get_broker(), worker_threads=1, worker_timeout=_LOOK_MILLISECONDS).start()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
