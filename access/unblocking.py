"""Takes blocks of signing in away before their time: the counts of a name, or of an address, in Redis.

While Redis is away each process counts for itself (access/attempt_counts.py); those counts are not reached from here.
"""

from collections.abc import Iterable, Iterator

from django.conf import settings
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from redis import Redis

from access import addresses, attempts, signals
from lib.redis_client import fast_client

_DOORS = "*"
_ANY_NAME = "?" * 32  # the length of a hashed name
_AT_A_TIME = 1_000


def of_name(name: str) -> list[str]:
    """The keys of the counts that passwords and codes for this name have. Raises RedisError or OSError."""
    hashed = attempts._hashed(name)
    return _found(f"{_DOORS}:name:{hashed}*", f"{_DOORS}:name-and-address:{hashed}:*")


def of_address(address: str) -> list[str]:
    """The keys of the counts of a well-formed address, for names and tokens. Raises RedisError or OSError."""
    key = addresses.limit_key(address)
    exact = (f"{_DOORS}:address:{key}", f"{_DOORS}:name-and-address:{_ANY_NAME}:{key}")
    return _found(*exact, *(f"{pattern}:blocks" for pattern in exact))


def end(keys: Iterable[str], *, actor: str, whose: str, reason: str) -> int:
    """Removes the counts, and the waits after wrong codes of a person of that name; how many counts there were."""
    keys = list(keys)
    redis = _redis()
    for i in range(0, len(keys), _AT_A_TIME):
        redis.delete(*keys[i : i + _AT_A_TIME], *(f"{key}:blocks" for key in keys[i : i + _AT_A_TIME]))
    for model in (TOTPDevice, StaticDevice):
        for device in model.objects.filter(user__username__iexact=whose):
            device.throttle_reset()
    signals.blocks_ended.send(None, name=actor, whose=whose, count=len(keys), reason=reason)
    return len(keys)


def _found(*patterns: str) -> list[str]:
    return sorted({key for pattern in patterns for key in _scan(f"{attempts._PREFIX}:{pattern}")})


def _scan(pattern: str) -> Iterator[str]:
    for key in _redis().scan_iter(match=pattern, count=_AT_A_TIME):
        text = key.decode() if isinstance(key, bytes) else str(key)
        yield text.removesuffix(":blocks")


def _redis() -> Redis:
    return fast_client(settings.REDIS_URL)
