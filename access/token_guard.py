"""The guard before bearer tokens: the count of wrong ones comes before the look at the token."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from ninja.errors import AuthenticationError

from access import addresses, attempts, throttles

MOST_CHARACTERS = 8_192  # of an Authorization header
_GOOD_SECONDS = 600.0
_GOOD_HELD = 1_000

_lock = threading.Lock()
_good: OrderedDict[bytes, float] = (
    OrderedDict()
)  # until when a token passes from this address without being counted


def parted(header: str) -> tuple[str, str]:
    """The scheme of an Authorization header, in lower case, and the token as it is looked up. Counting and
    lookup use the same value."""
    scheme, _, token = header.partition(" ")
    return scheme.lower(), token.strip()


def is_too_long(header: str) -> bool:
    """Whether no token can be in it: it is refused unread, and guesses nothing."""
    return len(header) > MOST_CHARACTERS


@contextmanager
def guarded(header: str, address: str) -> Iterator[None]:
    """Around the look at a token. A token that this process found good within ten minutes costs no question to Redis.

    Raises TooManyAttempts before the look where the address is blocked, ninja's Throttled instead of the refusal
    where an address without a token asks too often.
    """
    scheme, token = parted(header)
    if not token or is_too_long(header):
        with _counting_bare_requests(address):
            yield
        return
    tried = hashlib.sha256(f"{scheme} {token}".encode("utf-8", "surrogatepass")).hexdigest()
    key = hashlib.sha256(f"{addresses.limit_key(address)} {tried}".encode("utf-8", "replace")).digest()
    attempt = None if _is_good(key) else attempts.begin(attempts.TOKEN, tried, address, shown_name="")
    try:
        yield
    except AuthenticationError:
        _forget(key)
        (attempt or attempts.begin(attempts.TOKEN, tried, address, shown_name="")).failed()
        raise
    except BaseException:
        if attempt:
            attempt.withdrawn()
        raise
    if attempt:
        attempt.succeeded()
        _remember(key)


@contextmanager
def _counting_bare_requests(address: str) -> Iterator[None]:
    """A request without a token is not a guess, so it causes no block; only its replies are limited."""
    try:
        yield
    except AuthenticationError:
        throttles.spend(f"refused:{addresses.limit_key(address)}", throttles.REFUSALS_A_MINUTE)
        raise


def forget_all() -> None:
    """Asks for every token again, as a new process does."""
    with _lock:
        _good.clear()


def _is_good(key: bytes) -> bool:
    return _good.get(key, 0.0) > time.monotonic()


def _remember(key: bytes) -> None:
    with _lock:
        _good[key] = time.monotonic() + _GOOD_SECONDS
        _good.move_to_end(key)
        while len(_good) > _GOOD_HELD:
            _good.popitem(last=False)


def _forget(key: bytes) -> None:
    with _lock:
        _good.pop(key, None)
