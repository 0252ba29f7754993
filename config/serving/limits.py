"""Limits of one web process: bytes, seconds, threads and places in the queue."""

from dataclasses import dataclass

KIB, MIB = 1024, 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Of one process. Tests lower the deadlines; the values here are what the documentation promises."""

    threads: int
    """Requests that run at the same time."""
    body_bytes: int
    """The largest request body; a larger one is refused with 413, from its announced length where there is one."""
    body_seconds: float = 10.0
    """The longest pause between two parts of a body, and the time to begin before `body_bytes_per_second` counts."""
    body_bytes_per_second: int = 50_000
    """The slowest a body may arrive on the whole; a slower one ends with 408."""
    held_bytes: int = 64 * MIB
    """Bodies and replies in memory for slow clients; over this, the transfer that has paused longest is ended."""
    waiting: int = 128
    """Requests that wait for a thread; further ones are refused with 503."""
    read_ahead_bytes: int = MIB
    """A reply up to this size is kept in memory and frees its thread; a larger one is a stream."""
    write_seconds: float = 30.0
    """The longest pause of a receiving client; then its reply is broken off."""
    urgent_seconds: float = 2.0
    """Maximum time of an urgent path before its fallback is sent."""

    @property
    def streams(self) -> int:
        """Streams at the same time: half the threads, so that those who do not read leave the other half."""
        return max(1, self.threads // 2)
