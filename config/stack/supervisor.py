"""Keeps the members of the stack alive: starts them, starts again what died, stops all in order."""

import signal
import time
from collections.abc import Iterable, Sequence
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import NamedTuple, Never, Self

from config.stack.kill_switch import KillSwitch
from config.stack.processes import Process, StackError
from config.stack.service import Service
from config.stack.terminal import Report

SECONDS_TO_STOP = 4.0
SHORTEST_GRACE = 0.5
SHORTEST_BACKOFF = 0.5
LONGEST_BACKOFF = 10.0
SECONDS_TO_BE_CALLED_WELL = 30.0
# A signal that comes just before a wait begins may not end it: it is seen at the next look.
SECONDS_BETWEEN_LOOKS = 1.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Memory(NamedTuple):
    """Of each member in their order, None if there is nothing to know: when it is to be started again, when it was
    started, how often it has failed."""

    restarts: Sequence[float | None]
    started: Sequence[float | None]
    failures: Sequence[int | None]


class StopRequested(Exception):
    """A stop of the stack was requested."""


class Supervisor:
    """Used as a context: signals are ours inside it, and nothing of the stack is left behind it.

    Everything happens in the main thread, which waits for the next event: the end of a process, a signal, or
    the moment at which a process is to be started again.
    """

    def __init__(self, report: Report, leash: KillSwitch) -> None:
        self.report = report
        self.leash = leash
        self.services: list[Service] = []
        self._helpers: list[Process] = []
        # The ended member, or None for a request to stop; a signal handler may put into this kind of queue.
        self._events: SimpleQueue[Process | None] = SimpleQueue()
        self._restarts: dict[Service, float] = {}
        self._started: dict[Service, float] = {}
        self._failures: dict[Service, int] = {}
        self._stopping = False

    def __enter__(self) -> Self:
        for number in STOP_SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> bool:
        self._stop_everything()
        self.leash.release()
        return kind is StopRequested

    def launch(self, service: Service) -> None:
        """Adds and starts a member, without waiting until it is ready."""
        self.services.append(service)
        self._watch_over(service.process, service.noise)
        self._start(service)

    def await_ready(self, services: Iterable[Service], seconds: float) -> None:
        """Waits until all of these are ready. Raises StackError with the one that is not, and why."""
        for service in services:
            try:
                service.wait_until_ready(seconds, self.pause)
            except StackError:
                service.process.stop(service.grace)
                if not service.mend():
                    raise
                self._start(service)
                service.wait_until_ready(seconds, self.pause)

    def run(self, process: Process) -> None:
        """Runs a helper to its end; a StackError if that is not a good one."""
        self.begin(process)
        while not process.exited.is_set():
            self.pause(1.0)
        if process.returncode != 0:
            raise StackError(f"{process.name} {process.describe_end()}{process.last_words()}")

    def begin(self, process: Process) -> None:
        """Starts a helper, which is stopped with the stack but not started again when it ends."""
        self._helpers.append(process)
        self._watch_over(process)
        process.start()
        self._tell_leash()

    def is_quiet(self) -> bool:
        """Whether nothing has happened that is still to be handled."""
        return (
            self._events.empty()
            and not self._stopping
            and not any(helper.running for helper in self._helpers)
        )

    def memory(self) -> Memory:
        """What this supervisor knows of its members beside themselves."""
        return Memory(
            [self._restarts.get(service) for service in self.services],
            [self._started.get(service) for service in self.services],
            [self._failures.get(service) for service in self.services],
        )

    def adopt(self, services: Sequence[Service], memory: Memory) -> None:
        """Takes over the members of the supervisor that this process was before."""
        for service in services:
            self.services.append(service)
            self._watch_over(service.process, service.noise)
        self._restarts |= _known(services, memory.restarts)
        self._started |= _known(services, memory.started)
        self._failures |= _known(services, memory.failures)

    def watch(self) -> Never:
        """Restarts members that end, until a stop is requested."""
        while True:
            self.pause(SECONDS_BETWEEN_LOOKS)

    def pause(self, seconds: float) -> None:
        """Waits for the next event, `seconds` at most, and handles it; StopRequested ends everything."""
        next_restart = min(self._restarts.values(), default=time.monotonic() + seconds)
        try:
            ended = self._events.get(timeout=max(0.0, min(seconds, next_restart - time.monotonic())))
        except Empty:
            self._start_what_is_due()
            return
        if ended is None:
            raise StopRequested
        self._note_end(ended)

    def _watch_over(self, process: Process, noise: Sequence[str] = ()) -> None:
        def show(process: Process, line: str) -> None:
            if line and not any(part in line for part in noise):
                self.report.relay(process.name, line)

        process.on_line = show
        process.on_exit = self._events.put

    def _start(self, service: Service) -> None:
        self._restarts.pop(service, None)
        service.prepare()
        service.process.start()
        self._started[service] = time.monotonic()
        self._tell_leash()

    def _tell_leash(self) -> None:
        processes = [*(service.process for service in self.services), *self._helpers]
        self.leash.hold([(p.pid, p.stop_signal) for p in processes if p.running and p.pid])

    def _note_end(self, process: Process) -> None:
        """A member that ended is due again after a pause that grows while it keeps ending soon."""
        self._tell_leash()
        for service in self.services:
            if service.process is process and not process.running:  # it may have been started again by now
                self._plan_restart(service, process.describe_end())

    def _plan_restart(self, service: Service, what_happened: str) -> None:
        lived = time.monotonic() - self._started.get(service, 0.0)
        failures = 0 if lived > SECONDS_TO_BE_CALLED_WELL else self._failures.get(service, 0)
        self._failures[service] = failures + 1
        wait = min(LONGEST_BACKOFF, SHORTEST_BACKOFF * 2**failures)
        self._restarts[service] = time.monotonic() + wait
        self.report.say(f"{service.name} {what_happened}; restarting in {wait:g} s")

    def _start_what_is_due(self) -> None:
        for service in [service for service, due in self._restarts.items() if due <= time.monotonic()]:
            del self._restarts[service]
            try:
                if self._failures[service] > 1:
                    service.mend()
                self._start(service)
            except StackError as error:
                self._plan_restart(service, f"could not be started ({error})")

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """The first signal stops in good order; a further Ctrl-C kills."""
        if not self._stopping:
            self._stopping = True
            self._events.put(None)
        elif number == signal.SIGINT:
            for process in [*self._helpers, *(service.process for service in self.services)]:
                process.kill()

    def _stop_everything(self) -> None:
        """Stops members in the reverse order of their start: those that need others within SECONDS_TO_STOP, then the
        servers, each within its own grace, whatever the others took. What fails to is killed."""
        self._stopping = True
        deadline = time.monotonic() + SECONDS_TO_STOP
        ends = [service.process for service in self.services if not service.serves_others]
        for process in [*self._helpers, *ends]:
            process.ask_to_stop()
        for process in self._helpers:
            process.stop(SHORTEST_GRACE)
        for service in reversed(self.services):
            left = service.grace if service.serves_others else deadline - time.monotonic()
            grace = max(SHORTEST_GRACE, min(service.grace, left))
            if not service.process.stop(grace):
                self.report.say(f"{service.name} was killed: it did not stop within {grace:.1f} s")


def _known[Value](services: Sequence[Service], values: Sequence[Value | None]) -> dict[Service, Value]:
    return {service: value for service, value in zip(services, values, strict=True) if value is not None}
