"""Faults of the broker: lost data, outage, silence, refused writes, foreign messages."""

import itertools
import json
import random
import shutil
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis

from config.stack.processes import Process, StackError
from drills import broker_files
from drills.proxy import PASS, Rules
from drills.server_restarts import restart
from drills.system_under_test import System
from drills.trial_results import FaultResult

_QUEUE = "vectorpress:vectorpress.embed"
_FOREIGN_QUEUE = "dramatiq:embed"
_SAVES = 30
_FOREIGN_MESSAGES = 120
# A save takes some milliseconds; this is far from both that and any time-out, on a busy machine too.
_SLOW_SAVE_SECONDS = 1.0
_SECONDS_TO_EMBED = 40.0
_SECONDS_TO_RECEIVE = 30.0
_CLOSED_PORT = ("127.0.0.1", "1")
_HUGE = 5_000_000
_chosen = random.Random(7)
_damages = itertools.cycle(_chosen.sample(broker_files.ALL, len(broker_files.ALL)))


def flush_broker(system: System) -> FaultResult:
    """Every wake-up is gone."""
    with _client(system) as client:
        client.flushall()
    return FaultResult(time.monotonic(), [])


def restart_broker(system: System) -> FaultResult:
    """Killed, and started with what it had on disk."""
    return restart(system.stack.valkey, signal.SIGKILL)


def restart_empty_broker(system: System) -> FaultResult:
    """Killed, and started with nothing, as one without persistence is."""
    folder = system.stack.valkey.data_dir / "appendonlydir"
    found = restart(system.stack.valkey, signal.SIGKILL, meanwhile=lambda: shutil.rmtree(folder))
    return FaultResult(found.since, _unheard_wake_up(system))


def damage_broker_files(system: System) -> FaultResult:
    """Killed, and started on a folder of which one file is damaged."""
    return damage(system, *next(_damages), _chosen)


def damage(system: System, target: str, name: str, chosen: random.Random) -> FaultResult:
    """Kills Valkey, damages a file of its folder and starts it as `./dev up` does; recovery counts from the start."""
    data_dir = system.stack.data_dir
    began = time.monotonic()

    def meanwhile() -> None:
        nonlocal began
        broker_files.damages(target)[name](broker_files.find(data_dir, target), chosen)
        began = time.monotonic()

    try:
        restart(system.stack.valkey, signal.SIGKILL, meanwhile)
    except StackError as error:
        return FaultResult(began, [f"Valkey did not start: {error}"])
    return FaultResult(began, broker_files.litter(data_dir) + _unheard_wake_up(system))


@contextmanager
def cut_off(system: System) -> Iterator[None]:
    """It cannot be reached inside."""
    system.to_broker.rules = Rules(refuse=True)
    system.to_broker.cut()
    yield
    system.to_broker.rules = PASS


@contextmanager
def silent(system: System) -> Iterator[None]:
    """It hears everything, and its replies are lost."""
    system.to_broker.rules = Rules(swallow=True)
    yield
    system.to_broker.rules = PASS


@contextmanager
def replica(system: System) -> Iterator[None]:
    """Of a missing server, as after a failover: it returns READONLY for every write."""
    with _client(system) as client:
        client.replicaof(*_CLOSED_PORT)
        yield
        client.replicaof("NO", "ONE")


@contextmanager
def full(system: System) -> Iterator[None]:
    """It returns OOM for every write."""
    with _client(system) as client:
        client.config_set("maxmemory", 1)
        yield
        client.config_set("maxmemory", 0)


def refuse_broker(system: System) -> FaultResult:
    """It cannot be reached for a while."""
    return _during_outage(system, cut_off(system), "does not answer")


def silence_broker(system: System) -> FaultResult:
    """Its replies are lost for a while."""
    return _during_outage(system, silent(system), "does not answer in time")


def make_broker_a_replica(system: System) -> FaultResult:
    """It refuses every write as a replica does."""
    return _during_outage(system, replica(system), "it is a replica")


def fill_broker(system: System) -> FaultResult:
    """It refuses every write as one without memory does."""
    return _during_outage(system, full(system), "it is out of memory")


def send_foreign_messages(system: System) -> FaultResult:
    """Messages that Vectorpress never sends: invalid JSON, other queues and actors, huge."""
    messages: list[bytes] = [
        b"not JSON at all", b"\xff\xfe\x00", b"", b"[]", b"null", b"{}", b"7",
        _message(queue_name="elsewhere"),
        _message(actor_name="nobody_knows_me"),
        _message(args=[1, 2, 3], kwargs={"v": {}, "other": None}),
        _message(options=None),
        _message(options={"eta": "tomorrow"}),
        _message(options={"eta": 2**60}),
        _message(kwargs={"v": "x" * _HUGE}),
        b"x" * _HUGE,
    ]  # fmt: skip
    _push(system, messages)
    return FaultResult(time.monotonic(), _unheard_wake_up(system))


def share_with_a_stranger(system: System) -> FaultResult:
    """Another program that uses Dramatiq as it comes, with a queue `embed`, on the same database: it loses nothing."""
    sent = {
        str(uuid.uuid4()): _message(queue_name="embed", actor_name="theirs") for _ in range(_FOREIGN_MESSAGES)
    }
    with _client(system) as client:
        for number, body in sent.items():
            client.hset(f"{_FOREIGN_QUEUE}.msgs", number, body)
            client.rpush(_FOREIGN_QUEUE, number)
        since = time.monotonic()
        broken = _unheard_wake_up(system)
        system.wait(system.is_at_rest, "the backlog")
        left = client.llen(_FOREIGN_QUEUE)
        client.delete(_FOREIGN_QUEUE, f"{_FOREIGN_QUEUE}.msgs")
    return FaultResult(
        since,
        broken + ([f"{_FOREIGN_MESSAGES - left} messages were taken"] if left != _FOREIGN_MESSAGES else []),
    )


def double_messages(system: System) -> FaultResult:
    """Each wake-up five times, in any order, those of older and newer versions among them."""
    messages = [_message(kwargs={"v": version}) for version in (0, 1, 1, 1, 2) for _ in range(40)]
    random.Random(7).shuffle(messages)
    _push(system, messages)
    return FaultResult(time.monotonic(), _unheard_wake_up(system))


def _during_outage(system: System, outage: Any, expected: str) -> FaultResult:
    """Saves during the outage are quick, their articles are embedded, and health names the reason. Recovery counts from
    the end of the outage until workers receive a wake-up."""
    with outage:
        broken = _slow_saves(system)
        broken += _health_without(system, expected)
        broken += system.wait_or_report(
            system.is_at_rest, "the backlog to be processed without it", _SECONDS_TO_EMBED
        )
        if expected.startswith("does not answer in"):
            broken += [] if system.to_broker.swallowed else ["no reply was lost"]
    since = time.monotonic()
    return FaultResult(since, broken + _unheard_wake_up(system))


def _slow_saves(system: System) -> list[str]:
    output: list[str] = []
    saver = system.start_saver(_SAVES)
    saver.on_line = lambda _, line: output.extend(line.split()[1:] if line.startswith("slowest ") else ())
    saver.start()
    if not saver.exited.wait(_SECONDS_TO_EMBED) or saver.returncode:
        saver.kill()
        return [f"saves without the broker {_ended(saver)}"]
    slowest = float(output[-1])
    return [f"a save without the broker took {slowest:g} s"] if slowest > _SLOW_SAVE_SECONDS else []


def _ended(saver: Process) -> str:
    return f"{saver.describe_end() if saver.returncode is not None else 'hang'}{saver.last_words()}"


def _health_without(system: System, expected: str) -> list[str]:
    condition, reasons = system.health()
    if condition == "degraded" and any("The broker" in reason and expected in reason for reason in reasons):
        return []
    return [f"health says {condition}: {reasons}"]


def _unheard_wake_up(system: System) -> list[str]:
    """Sends a wake-up, and reports if it is not accepted."""
    _push(system, [_message()])
    with _client(system) as client:
        return system.wait_or_report(
            lambda: not client.llen(_QUEUE), "the workers to receive a wake-up", _SECONDS_TO_RECEIVE
        )


def _push(system: System, messages: list[bytes]) -> None:
    """Puts messages on the queue as Dramatiq does: the body in a hash, its id in a list."""
    with _client(system) as client:
        for body in messages:
            number = str(uuid.uuid4())
            client.hset(f"{_QUEUE}.msgs", number, body)
            client.rpush(_QUEUE, number)


def _message(**fields: Any) -> bytes:
    usual = {
        "queue_name": "vectorpress.embed",
        "actor_name": "embed_due",
        "args": [],
        "kwargs": {"v": 1},
        "options": {"redis_message_id": str(uuid.uuid4())},
        "message_id": str(uuid.uuid4()),
        "message_timestamp": 1_700_000_000_000,
    }
    return json.dumps(usual | fields).encode()


def _client(system: System) -> Any:
    return Redis.from_url(system.stack.valkey.url)
