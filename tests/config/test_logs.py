"""What anybody can make us log is one bounded line, and no text in a line can pass for another."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import dramatiq
import pytest
import structlog
from django.test import Client
from dramatiq.brokers.redis import RedisBroker
from pytest_django import Settings
from redis.exceptions import AuthenticationError, OutOfMemoryError, ReadOnlyError, ResponseError

from config import log_bounds
from config.log_bounds import A_MINUTE, WHILE_THE_BROKER_FAILS, BrokerFailures, RefusedRequests
from queueops.wakeups import doorbell
from tests.paths import ROOT
from tests.waiting import wait_until

FORGED = "x\n12:00:00 [info     ] all is well\x1b[2K\u202e"


class _Clock:
    seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> _Clock:
    """What the filter of the broker's failures takes for the time, in seconds."""
    return _Clock()


@pytest.fixture
def lines(clock: _Clock) -> Iterator["_Lines"]:
    """What the handler of the root writes while the test runs, line by line, in the form of `config.logs`."""
    (handler,) = [each for each in logging.getLogger().handlers if any(map(_is_ours, each.filters))]
    assert isinstance(handler, logging.StreamHandler)
    before, handler.filters = list(handler.filters), [_new(each, clock) for each in handler.filters]
    stream = handler.setStream(io.StringIO())
    found = _Lines(handler.stream)
    yield found
    handler.setStream(stream)
    handler.filters = before


def _is_ours(filter: object) -> bool:
    return isinstance(filter, RefusedRequests)


def _new(filter: object, clock: _Clock) -> logging.Filter:
    """One of the same class, which has counted nothing."""
    assert isinstance(filter, logging.Filter)
    return BrokerFailures(clock) if isinstance(filter, BrokerFailures) else type(filter)()


class _Lines(list[str]):
    def __init__(self, stream: io.StringIO) -> None:
        super().__init__()
        self._stream = stream

    def now(self) -> list[str]:
        return self._stream.getvalue().splitlines()


@pytest.mark.parametrize("path", ["/", "/api/articles", "/admin/login/", "/stats"])
def test_a_wrong_host_is_one_line_without_a_stack_trace(path: str, lines: "_Lines") -> None:
    assert Client().get(path, headers={"host": "evil.example"}).status_code == 400
    (line,) = lines.now()
    assert "Invalid HTTP_HOST header: 'evil.example'" in line


def test_many_wrong_hosts_are_a_few_lines_and_then_their_number(
    lines: "_Lines", monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5 * A_MINUTE):
        Client().get("/stats", headers={"host": "evil.example"})
    assert len(lines.now()) == A_MINUTE
    monkeypatch.setattr(log_bounds, "_WINDOW_SECONDS", 0.0)
    Client().get("/stats", headers={"host": "evil.example"})
    assert f" ({4 * A_MINUTE} more of this kind were not logged) " in lines.now()[-1]


FORM = "application/x-www-form-urlencoded"
BODIES = {
    "too large": ("username=" + "x" * 200, FORM),
    "too many fields": ("a=1&b=2&c=3", FORM),
    "without a boundary": ("x", "multipart/form-data; boundary="),
    "without a token": ("a=1", FORM),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_refused_is_at_most_one_line(name: str, lines: "_Lines", settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 2
    client = Client(enforce_csrf_checks=True)
    client.get("/admin/login/")  # gives the cookie, without which no body is read
    body, kind = BODIES[name]
    assert client.generic("POST", "/admin/login/", body, content_type=kind).status_code in {400, 403, 413}
    assert len(lines.now()) <= 1
    assert client.get("/admin/?x=%00").status_code == 400
    assert len(lines.now()) <= 1


def test_a_text_in_an_event_or_a_value_forges_no_line(lines: "_Lines") -> None:
    structlog.get_logger("test").warning(FORGED, value=FORGED, more=[FORGED], error=ValueError(FORGED))
    logging.getLogger("test").warning("of %s", FORGED)
    assert len(lines.now()) == 2
    assert not set("".join(lines.now())) & set("\x1b\u202e")


def test_a_stack_trace_is_set_in_from_the_margin_and_forges_no_line(lines: "_Lines") -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        logging.getLogger("test").exception("failed")
        structlog.get_logger("test").exception("failed too")
    at_margin = [line for line in lines.now() if not line.startswith("    ")]
    assert [line.split("] ")[1].split()[0] for line in at_margin] == ["failed", "failed"]
    assert any("Traceback" in line for line in lines.now())
    assert not set("".join(lines.now())) & set("\x1b\u202e")


def test_a_forged_message_for_an_unknown_actor_is_a_wake_up() -> None:
    forged = {
        "queue_name": doorbell.QUEUE, "actor_name": FORGED, "args": [], "kwargs": {}, "message_id": "a",
        "message_timestamp": 1, "options": {"redis_message_id": "7"},
    }  # fmt: skip
    message = dramatiq.Message.decode(json.dumps(forged).encode())
    assert message.actor_name == doorbell.EMBED_DUE


BROKER_ERRORS = [
    ResponseError("WRONGTYPE Operation against a key"),
    OutOfMemoryError("command not allowed"),
    ReadOnlyError("You can't write"),
    AuthenticationError("Authentication required."),
]


@pytest.mark.parametrize("error", BROKER_ERRORS, ids=lambda error: type(error).__name__)
def test_consumers_that_fail_for_long_are_a_few_lines(
    error: ResponseError | AuthenticationError, lines: "_Lines", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dramatiq's own consumers, whose fetch fails again and again."""

    class Failing(RedisBroker):
        tries = 0

        def __getattr__(self, name: str) -> Callable[..., None]:
            return self._fail

        def _fail(self, *_: object) -> None:
            self.tries += 1
            raise error

    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.05)
    broker = Failing(middleware=[])  # type: ignore[no-untyped-call]
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=10)
    worker.start()
    broker.declare_queue("failing")  # and the one for delayed messages
    wait_until(lambda: broker.tries >= 20, what="ten rounds of two consumers")
    worker.stop()
    said = [line for line in lines.now() if "Shutting down" not in line and "shut down" not in line]
    assert ["Consumer encountered" in line for line in said] == [True, False], said
    assert "Restarting consumer" in said[1]


def test_another_error_of_the_broker_is_a_line_at_once(lines: "_Lines") -> None:
    logger = logging.getLogger("dramatiq.worker.ConsumerThread(embed)")
    for error in [*BROKER_ERRORS, *BROKER_ERRORS]:
        try:
            raise error
        except type(error):
            logger.critical("Consumer encountered an unexpected error.", exc_info=True)
    assert [line.split("error. ")[1].split(":")[0] for line in lines.now()] == [
        type(error).__name__ for error in BROKER_ERRORS
    ]


def test_rings_that_fail_are_a_line_and_then_their_number(lines: "_Lines", clock: _Clock) -> None:
    logger = structlog.get_logger("queueops.wakeups.doorbell")
    for _ in range(50):
        logger.warning("wake-up not sent; the sweep will send one", error="OutOfMemoryError")
    assert len(lines.now()) == 1
    clock.seconds += 61
    logger.warning("wake-up not sent; the sweep will send one", error="OutOfMemoryError")
    assert "(49 more of this kind were not logged)" in lines.now()[-1]


def test_an_hour_of_a_failing_broker_is_a_few_lines_of_each_kind(lines: "_Lines", clock: _Clock) -> None:
    """Each of the kinds that a process may write, over and over, with what Dramatiq says of it."""
    consumer = logging.getLogger("dramatiq.worker.ConsumerThread(embed)")
    for _ in range(120):
        clock.seconds += 30
        for words in WHILE_THE_BROKER_FAILS:
            structlog.get_logger("queueops").warning(f"{words} and so on", error="ReadOnlyError")
        try:
            raise BROKER_ERRORS[0]
        except ResponseError:
            consumer.critical("Consumer encountered an unexpected error.", exc_info=True)
    said = lines.now()
    assert len(said) == (len(WHILE_THE_BROKER_FAILS) + 1) * 6  # at once, after 1, 3, 7, 15 and 31 minutes
    assert len("\n".join(said)) < 16_384


def test_after_a_quiet_time_the_next_is_a_line_at_once(lines: "_Lines", clock: _Clock) -> None:
    logger = structlog.get_logger("queueops.wakeups.doorbell")
    for _ in range(2):
        for _ in range(20):
            clock.seconds += 1
            logger.warning("wake-up not sent; the sweep will send one", error="ReadOnlyError")
        clock.seconds += 400
    assert len(lines.now()) == 2
    assert "(19 more of this kind were not logged)" in lines.now()[-1]


def test_a_line_is_bounded_only_where_somebody_writes_it() -> None:
    """What the bounds know by its words is what the code says, ours and Dramatiq's."""
    ours = [path for app in ("access", "embeddings", "queueops") for path in (ROOT / app).rglob("*.py")]
    theirs = Path(dramatiq.__file__).parent.rglob("*.py")
    said = "\n".join(path.read_text() for path in [*ours, *theirs])
    assert [words for words in WHILE_THE_BROKER_FAILS if words not in said] == []


def test_wake_ups_that_are_sent_again_are_said_once(lines: "_Lines", monkeypatch: pytest.MonkeyPatch) -> None:
    broker = dramatiq.get_broker()
    monkeypatch.setattr(broker, "enqueue", _refuse)
    doorbell.ring()
    monkeypatch.undo()
    for _ in range(3):
        doorbell.ring()
    assert ["not sent" in line for line in lines.now()] == [True, False]
    assert "wake-ups are sent again" in lines.now()[1]


def _refuse(*_: object, **__: object) -> None:
    raise ReadOnlyError("You can't write")


def test_a_message_that_fails_for_another_reason_keeps_its_stack_trace(lines: "_Lines") -> None:
    try:
        raise ValueError("of ours")
    except ValueError:
        logging.getLogger("dramatiq.worker.WorkerThread").exception("Failed to process message x")
    assert any("Traceback" in line for line in lines.now())


def test_every_event_that_is_limited_while_the_broker_fails_is_one_that_is_logged() -> None:
    folders = [
        *(ROOT / room for room in ("queueops", "access", "embeddings")),
        Path(dramatiq.__file__).parent,
    ]
    code = "".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    assert [event for event in WHILE_THE_BROKER_FAILS if event not in code] == []
