"""A process that is of use only once it answers: prepare it, start it, wait until it is ready."""

import time
from collections.abc import Callable

from config.stack.processes import Process, StackError

Pause = Callable[[float], object]


class Service:
    """One member of the stack; subclasses say what it needs before its start and when it answers."""

    def __init__(self, process: Process) -> None:
        self.process = process

    @property
    def name(self) -> str:
        return self.process.name

    def prepare(self) -> None:
        """Makes what the process needs before it can start; called before each start."""

    def ready(self) -> bool:
        """Whether it answers right now."""
        return self.process.running

    def start(self, seconds: float = 30.0) -> None:
        """Prepares and starts it and waits until it answers, `seconds` at most; a StackError says why not."""
        self.prepare()
        self.process.start()
        self.wait_until_ready(seconds, self.process.exited.wait)

    def stop(self, grace: float = 10.0) -> None:
        """Stops it within `grace` seconds."""
        self.process.stop(grace)

    def wait_until_ready(self, seconds: float, pause: Pause) -> None:
        """Waits until it answers; `pause(seconds)` is called between two looks and may end early or raise."""
        deadline = time.monotonic() + seconds
        while not self.ready():
            if self.process.exited.is_set():
                raise StackError(
                    f"{self.name} {self.process.describe_end()} while starting{self._last_words()}"
                )
            if time.monotonic() > deadline:
                raise StackError(
                    f"{self.name} did not answer within {seconds:.0f} seconds{self._last_words()}"
                )
            pause(0.02)

    def _last_words(self) -> str:
        lines = "\n  ".join(self.process.last_lines)
        return f"; its last lines:\n  {lines}" if lines else " and wrote nothing."
