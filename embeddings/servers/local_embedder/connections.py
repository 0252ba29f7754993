"""Bounds how many connections are open: when all places are taken, the one that stalls longest is closed."""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass
from enum import IntEnum

_SECONDS_TO_LEAVE = 1.0


class Stage(IntEnum):
    """A connection's state; all but WORKING can be closed for a new one, the lowest first."""

    NEW = 0  # no request of it has passed the checks
    IDLE = 1
    SENDING_BODY = 2
    READING_REPLY = 3
    WORKING = 4


@dataclass
class _Place:
    stage: Stage
    since: float
    opened: float
    is_closed: bool = False


class Connections:
    """The open connections, `most` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._places: dict[socket.socket, _Place] = {}

    def admit(self, connection: socket.socket) -> bool:
        """Gives `connection` a place, taken from a stalled one if need be; False: all others are working."""
        with self._changed:
            if len(self._places) >= self._most and not self._make_room():
                return False
            now = time.monotonic()
            self._places[connection] = _Place(Stage.NEW, now, now)
            return True

    def enter(self, connection: socket.socket, stage: Stage) -> None:
        """Sets its state; raises ConnectionAbortedError if it was closed for another."""
        with self._changed:
            place = self._places[connection]
            if place.is_closed:
                raise ConnectionAbortedError("another connection has its place")
            # repeated requests that fail the checks do not reset its age
            place.since = place.opened if stage is Stage.NEW else time.monotonic()
            place.stage = stage

    def leave(self, connection: socket.socket) -> None:
        """Frees its place, if it has one."""
        with self._changed:
            self._places.pop(connection, None)
            self._changed.notify_all()

    def _make_room(self) -> bool:
        stalled = [
            (place.stage, place.since, connection)
            for connection, place in self._places.items()
            if place.stage is not Stage.WORKING and not place.is_closed
        ]
        if not stalled:
            return False
        *_, longest = min(stalled, key=lambda entry: entry[:2])
        self._places[longest].is_closed = True
        with contextlib.suppress(OSError):  # its client has left already
            longest.shutdown(socket.SHUT_RDWR)
        # its thread ends before the next one starts, so that threads are bounded as connections are
        return self._changed.wait_for(lambda: len(self._places) < self._most, _SECONDS_TO_LEAVE)
