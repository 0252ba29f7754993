"""The program that watches a running stack until a stop is requested: `python -m config.stack.watch runstack FILE`.

The process that started the stack executes it in its own place (handover.py). It imports no Django.
"""

import os
import signal
import sys
from contextlib import suppress

from config.stack.handover import take_over
from config.stack.supervisor import STOP_SIGNALS
from config.stack.terminal import Report

_TROUBLE = 2  # as queueops/cli/frame/exit_codes.py has it


def main(file: int) -> None:
    report, code = Report(), 0
    try:
        with take_over(file, report) as supervisor:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            supervisor.watch()
        report.say("stopped")
    except OSError as error:
        report.say(f"stopped: {error}")
        code = _TROUBLE
    with suppress(OSError):  # the output may be on a full disk
        sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[-1]))
