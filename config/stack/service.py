"""A process that is usable once it is ready: prepare it, start it, wait until it is ready."""

import time
from collections.abc import Callable, Sequence

from config.stack.processes import Process, StackError

Pause = Callable[[float], object]


class Service:
    """One member of the stack; subclasses define its preparation and its readiness."""

    noise: Sequence[str] = ()
    """Parts of useless lines, which are not shown."""

    serves_others = True
    """Whether other members need it until they have stopped."""

    def __init__(self, process: Process, grace: float = 1.0) -> None:
        """`grace` is how many seconds it may take to stop in good order."""
        self.process = process
        self.grace = grace

    @property
    def name(self) -> str:
        return self.process.name

    def prepare(self) -> None:
        """Makes what the process needs before it can start; called before each start."""

    def mend(self) -> bool:
        """Called after a start that failed: removes the cause where it can; whether the next may succeed."""
        return False

    def advice(self) -> str:
        """Lines for the person whose start it failed, to follow its last words: what to do."""
        return ""

    def ready(self) -> bool:
        """Whether it is ready now."""
        return self.process.running

    def start(self, seconds: float = 30.0) -> None:
        """Prepares and starts it and waits until it is ready, `seconds` at most. Raises StackError."""
        try:
            self._start(seconds)
        except StackError:
            self.process.stop(self.grace)
            if not self.mend():
                raise
            self._start(seconds)

    def _start(self, seconds: float) -> None:
        self.prepare()
        self.process.start()
        self.wait_until_ready(seconds, self.process.exited.wait)

    def stop(self) -> None:
        """Stops it within its grace, killed if need be."""
        self.process.stop(self.grace)

    def wait_until_ready(self, seconds: float, pause: Pause) -> None:
        """Waits until it is ready; `pause(seconds)` is called between two checks and may end early or raise."""
        deadline = time.monotonic() + seconds
        while not self.ready():
            if self.process.exited.is_set():
                said = f"{self.process.describe_end()} while starting{self.process.last_words()}"
                raise StackError(f"{self.name} {said}{self.advice()}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"{self.name} was not ready within {seconds:.0f} seconds{self.process.last_words()}{self.advice()}"
                )
            pause(0.02)
