"""An attacker who can write to Valkey: forged vectors in the cache, forged messages and keys in the queue."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from redis import Redis

from drills.attack.target import Target, await_true

# an attacker sees the names in the broker; queueops cannot be imported before there are settings
_NAMESPACE, _QUEUE = "vectorpress", "vectorpress.embed"
_LINES_AT_MOST = 20
_QUERY = "a question whose vector is forged"
_MESSAGE = {
    "queue_name": _QUEUE,
    "args": [],
    "kwargs": {},
    "options": {"redis_message_id": "2"},
    "message_id": "1",
    "message_timestamp": 1,
}


def forged_vectors(target: Target) -> list[str]:
    """Each key that a search leaves gets other values: programs, numbers, lists, nothing, far too much."""
    canary = target.data_dir.parent / "unpickled"
    got = []
    with target.client() as client, target.broker() as broker:
        before = set(broker.keys("*"))
        client.get("/search", params={"q": _QUERY})
        made = [key for key in set(broker.keys("*")) - before if broker.type(key) == b"string"]
        if not made:
            raise RuntimeError("the search left nothing in the cache")
        for name, value in _forged(canary).items():
            for key in made:
                broker.delete(key)
                broker.rpush(key, *value) if isinstance(value, list) else broker.set(key, value)
            status = client.get("/search", params={"q": _QUERY}).status_code
            got += [f"{name}: the search answered {status}"] if status != 200 else []
            got += [f"{name}: it ran in the web process"] if canary.exists() else []
            canary.unlink(missing_ok=True)
    return got


def _forged(canary: Path) -> dict[str, bytes | list[bytes]]:
    # a pickle by hand, as an attacker writes it: os.system("touch …")
    program = b"cposix\nsystem\n(S'touch " + os.fsencode(canary) + b"'\ntR."
    return {
        "a program": program,
        "a number": b"7",
        "nothing": b"",
        "not a number": b"\xff" * 1_540,
        "too much": b"x" * 20_000_000,
        "a list": [b"1", b"2"],
    }


def forged_messages(target: Target) -> list[str]:
    """Invalid messages, and messages with unknown or other actors."""
    forged = {
        "1": b"\x80\x04nothing of ours",
        "2": json.dumps(_MESSAGE | {"actor_name": "os.system", "args": ["id"]}).encode(),
        "3": json.dumps(_MESSAGE | {"actor_name": 7}).encode(),
        "4": b"[" * 100_000,
        "5": json.dumps(_MESSAGE | {"actor_name": "\x1b[2J\nforged line"}).encode(),
    }
    lines = len(target.lines)
    with target.broker() as broker:
        for number, message in forged.items():
            broker.hset(f"{_NAMESPACE}:{_QUEUE}.msgs", number, message)
            broker.rpush(f"{_NAMESPACE}:{_QUEUE}", number)
    slug = target.save("After the forged messages", "it is embedded all the same")
    await_true(lambda: _is_embedded(target, slug), "a save to be embedded beside forged messages", 60.0)
    said = target.lines[lines:]
    got = ["a forged line in the log"] if any(line.startswith("forged line") for line in said) else []
    return got + (["a traceback in the log"] if any("Traceback" in line for line in said) else [])


def forged_keys(target: Target) -> list[str]:
    """Each key in which consumers keep the queue becomes a text, all at once and for good."""
    lines = len(target.lines)
    with target.broker() as broker:
        forged = _keys_of_the_queue(broker)
        for key in forged:
            broker.set(key, "x")

        def are_removed() -> bool:
            # that of a consumer that has ended may stay: nobody reads it
            return not any(broker.type(key) == b"string" for key in forged if "__acks__" not in key)

        slug = target.save("After the forged keys", "it is embedded all the same")
        await_true(
            lambda: _reports_trouble(target) or are_removed(),
            "forged keys to be removed, or noticed by /health",
            5.0,
        )
        await_true(lambda: _is_embedded(target, slug), "a save to be embedded beside forged keys", 30.0)
        await_true(are_removed, "forged keys to be removed", 30.0)
    count = len(target.lines) - lines
    return [f"{count} lines in the log"] if count >= _LINES_AT_MOST else []


def _keys_of_the_queue(broker: Redis) -> list[str]:
    """As an attacker reads them from Dramatiq's source and from the broker: its consumers have a heartbeat each."""
    queues = [_QUEUE, f"{_QUEUE}.DQ", f"{_QUEUE}.XQ"]
    found = broker.zrange(f"{_NAMESPACE}:__heartbeats__", 0, -1)
    consumers = [one.decode() for one in found if isinstance(one, bytes)]
    acks = [f"__acks__.{one}.{queue}" for one in consumers for queue in queues[:2]]
    names = ["__heartbeats__", *queues, *(f"{queue}.msgs" for queue in queues), *acks]
    return [f"{_NAMESPACE}:{name}" for name in names]


def _reports_trouble(target: Target) -> bool:
    with target.client() as client:
        return bool(client.get("/health").json()["status"] != "ok")


def _is_embedded(target: Target, slug: str) -> bool:
    with target.api() as api:
        return bool(api.get(f"/api/articles/{slug}").json()["embedding"]["state"] == "embedded")


ATTACKS: dict[str, Callable[[Target], list[str]]] = {
    "forged vectors in the cache": forged_vectors,
    "forged messages in the queue": forged_messages,
    "forged keys of the queue": forged_keys,
}
