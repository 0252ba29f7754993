"""Every message in the queue is decoded: ours unchanged, any other as a plain wake-up."""

import json
from typing import Any

import dramatiq
import pytest

from queueops import actors
from queueops.wakeups import doorbell
from queueops.wakeups.encoder import TolerantEncoder

OURS: dict[str, Any] = {
    "queue_name": doorbell.QUEUE,
    "actor_name": "embed_due",
    "args": [],
    "kwargs": {"v": 1},
    "options": {"redis_message_id": "7"},
    "message_id": "a",
    "message_timestamp": 1,
}
ALTERED: list[dict[str, Any]] = [
    {"queue_name": "elsewhere"},
    {"queue_name": []},
    {"actor_name": 7},
    {"actor_name": "of_nobody"},
    {"actor_name": "\x1b[2J\nforged"},
    {"args": [1]},
    {"kwargs": {"v": 2, "more": True}},
    {"message_id": None},
    {"args": 7},
    {"kwargs": []},
    {"options": None},
    {"options": {}},
    {"options": {"redis_message_id": "7", "eta": 2**60}},
    {"unknown": 1},
]
FOREIGN = [
    b"",
    b"not JSON",
    b"\xff\xfe",
    b"null",
    b"[]",
    b"{}",
    b"[" * 100_000,
    *(json.dumps(OURS | changes).encode() for changes in ALTERED),
]


def test_the_queue_is_read_by_it() -> None:
    assert isinstance(dramatiq.get_encoder(), TolerantEncoder)


def test_what_we_send_is_read_as_it_was_sent() -> None:
    assert TolerantEncoder().decode(json.dumps(OURS).encode()) == OURS


def test_the_actors_it_knows_are_those_that_are_declared() -> None:
    declared = {each.actor_name for each in vars(actors).values() if isinstance(each, dramatiq.Actor)}
    assert declared == doorbell.ACTORS


def test_a_message_of_another_version_of_an_actor_stays_what_it_is() -> None:
    newer = OURS | {"actor_name": "build_indexes", "kwargs": {"v": 2}}
    assert TolerantEncoder().decode(json.dumps(newer).encode()) == newer


@pytest.mark.parametrize("data", FOREIGN, ids=lambda data: data[:40])
def test_anything_else_is_a_wake_up(data: bytes) -> None:
    message = dramatiq.Message[Any].decode(data)
    assert (message.queue_name, message.actor_name) == (doorbell.QUEUE, doorbell.EMBED_DUE)
    assert (message.args, message.kwargs) == ((), {})


def test_a_wake_up_in_place_of_another_message_can_be_acknowledged_under_its_number() -> None:
    data = json.dumps(OURS | {"queue_name": "elsewhere"}).encode()
    assert dramatiq.Message[Any].decode(data).options == {"redis_message_id": "7"}
