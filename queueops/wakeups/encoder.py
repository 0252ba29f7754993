"""Decodes messages tolerantly: any message means no more than that there may be work."""

import dataclasses
import json
from typing import Any

from dramatiq import Message
from dramatiq.encoder import JSONEncoder, MessageData

from queueops.wakeups.doorbell import ACTORS, EMBED_DUE, QUEUE

_FIELDS = {field.name for field in dataclasses.fields(Message)}


class TolerantEncoder(JSONEncoder):
    """Dramatiq's JSON encoding; a message that we cannot have sent is read as a plain wake-up.

    Unchanged it would end the worker thread, or stop the fetching thread for a while and lose the messages fetched with
    it.
    """

    def decode(self, data: bytes) -> MessageData:
        """The message, or a wake-up in its place; never an error."""
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            return _wake_up(None)
        return found if _is_ours(found) else _wake_up(found)


def _is_ours(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and found.keys() == _FIELDS
        and found["queue_name"] == QUEUE  # a worker's thread ends when it acknowledges to another
        and isinstance(found["actor_name"], str)
        and found["actor_name"] in ACTORS  # an undeclared one costs a stack trace, as a wrong argument does
        and isinstance(found["message_id"], str)
        and found["args"] == []
        and isinstance(found["kwargs"], dict)
        and found["kwargs"].keys() <= {"v"}
        and bool(_number_of(found))
        and "eta" not in found["options"]  # a task's row says when it is due; messages are never delayed
    )


def _wake_up(found: Any) -> MessageData:
    """A wake-up with the message id of `found`, if it has one: only that can be acknowledged."""
    options = {"redis_message_id": _number_of(found)}
    return Message[Any](QUEUE, EMBED_DUE, (), {}, options).asdict()


def _number_of(found: Any) -> str:
    options = found.get("options") if isinstance(found, dict) else None
    number = options.get("redis_message_id") if isinstance(options, dict) else None
    return number if isinstance(number, str) else ""
