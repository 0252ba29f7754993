"""Dramatiq's Redis broker whose consumers wait in the server for a message instead of looking for one again and again.

Waiting is BLMOVE of the queue's first message to the place where it is: that blocks until there is a message and takes
none. Dramatiq's own fetch follows, so that its messages, heartbeats and acknowledgements are untouched. A server that
refuses the command is asked at intervals, as Dramatiq does it.
"""

import threading
import time
from collections.abc import Iterable

from dramatiq import MessageProxy
from dramatiq.broker import Consumer
from dramatiq.brokers.redis import RedisBroker
from dramatiq.common import dq_name
from dramatiq.errors import ConnectionClosed
from redis.exceptions import ConnectionError, ResponseError

POLLING_SECONDS = 0.05
# Several processes wake for each message, and one gets it: the others pause this long before they wait again.
_AFTER_NOTHING_SECONDS = 0.005
_FETCH_ONLY = 1  # milliseconds that Dramatiq's consumer sleeps if it fetched nothing


class BlockingRedisBroker(RedisBroker):
    """As RedisBroker. A consumer waits at most the worker's time-out, so that a stop is noticed."""

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        if queue_name == dq_name(queue_name):  # we delay no message: what others put there may wait
            return super().consume(queue_name, prefetch, timeout)
        return _BlockingConsumer(
            self, super().consume(queue_name, prefetch, _FETCH_ONLY), queue_name, prefetch, timeout
        )


class _BlockingConsumer(Consumer):
    """Fetches through Dramatiq's consumer, and waits where that would sleep."""

    def __init__(
        self, broker: RedisBroker, fetcher: Consumer, queue_name: str, prefetch: int, timeout: int
    ) -> None:
        self._client, self._key = broker.client, f"{broker.namespace}:{queue_name}"
        self._fetcher, self._prefetch, self._seconds = fetcher, prefetch, timeout / 1_000
        self._held: set[str] = set()  # ids of messages that are not acknowledged yet
        self._has_room = threading.Event()
        self._was_woken = False

    def __next__(self) -> MessageProxy | None:
        message = next(self._fetcher)
        if message is not None:
            self._held.add(message.message_id)
            self._was_woken = False
            return message
        self._wait()
        return None

    def ack(self, message: MessageProxy) -> None:
        try:
            self._fetcher.ack(message)
        finally:
            self._give_up(message)

    def nack(self, message: MessageProxy) -> None:
        try:
            self._fetcher.nack(message)
        finally:
            self._give_up(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        self._fetcher.requeue(messages)

    def close(self) -> None:
        self._fetcher.close()

    def _give_up(self, message: MessageProxy) -> None:
        self._held.discard(message.message_id)
        self._has_room.set()

    def _wait(self) -> None:
        """Until there may be a message and room for it, or the time is over."""
        self._has_room.clear()
        if len(self._held) >= self._prefetch:
            self._has_room.wait(self._seconds)
        elif self._was_woken:
            self._was_woken = False
            time.sleep(_AFTER_NOTHING_SECONDS)
        else:
            self._was_woken = self._is_there_one()

    def _is_there_one(self) -> bool:
        try:
            found = self._client.execute_command(
                "BLMOVE", self._key, self._key, "LEFT", "LEFT", self._seconds
            )
            return found is not None
        except ConnectionError as error:
            raise ConnectionClosed(error) from None
        except ResponseError:  # an old server, a replica, one without memory, or without the right
            time.sleep(POLLING_SECONDS)
            return False
