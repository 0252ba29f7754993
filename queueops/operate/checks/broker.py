"""The broker: whether it answers, keeps wake-ups over a restart, and what waits in it."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from lib.manage_command import manage
from queueops.operate.checks.finding import Finding, fail, ok, warn
from queueops.wakeups import broker_health, broker_keys, doorbell, foreign_broker_users

_SECONDS = 2.0
# Wake-ups are sent ever more rarely in a burst, and each is received at once: this many mean that no worker receives
# them.
_MANY = 1_000


def check() -> Iterator[Finding]:
    if trouble := broker_health.problem():
        yield fail(
            "broker",
            trouble,
            "Start it, or correct REDIS_URL; until then the sweep finds new work some seconds later.",
        )
        return
    try:
        with Redis.from_url(
            settings.REDIS_URL, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS
        ) as client:
            facts: dict[str, Any] = client.info()
            strangers = foreign_broker_users.look(client)
            waiting = int(client.llen(broker_keys.name_of(doorbell.QUEUE)))
    except (RedisError, OSError) as error:
        yield warn(
            "broker",
            f"accepts writes, but does not report its state ({type(error).__name__})",
            "Allow this user to run INFO and LLEN.",
        )
        return
    yield ok("broker", f"{facts.get('server_name', 'redis')} {facts.get('redis_version', '?')} responds")
    yield _persistence(facts)
    yield from _memory(facts)
    yield _depth(waiting)
    yield from _strangers(strangers)


def _persistence(facts: dict[str, Any]) -> Finding:
    if facts.get("aof_enabled"):
        return ok("broker persistence", "on (append-only file)")
    return warn(
        "broker persistence",
        "no append-only file: a restart loses wake-ups, and their tasks wait for the next sweep",
        "Start the broker with --appendonly yes.",
    )


def _memory(facts: dict[str, Any]) -> Iterator[Finding]:
    policy = facts.get("maxmemory_policy", "noeviction")
    if facts.get("maxmemory") and policy != "noeviction":
        yield warn(
            "broker memory",
            f"maxmemory-policy is {policy}: a full broker drops wake-ups",
            "Set maxmemory-policy noeviction.",
        )


def _strangers(found: list[str]) -> Iterator[Finding]:
    if found:
        yield warn("broker database", foreign_broker_users.sentence(found), foreign_broker_users.FIX)


def _depth(waiting: int) -> Finding:
    if waiting <= _MANY:
        return ok("broker queue", f"{waiting:,} wake-ups wait")
    return warn(
        "broker queue",
        f"{waiting:,} wake-ups wait, so no worker receives them",
        f"Start workers: {manage('rundramatiq')}. Surplus wake-ups are harmless.",
    )
