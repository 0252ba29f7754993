"""One guard for every secret that can be guessed: passwords, codes of the second factor, bearer tokens.

An attempt is counted before the secret is looked at, and given back when it was right, so that a burst cannot overtake
the count. Over a limit the right secret is refused as well, without a hash being computed.

Passwords are limited by three counts. *Name and address* (10 in 5 minutes) stops a person or script that guesses one
account. *Address* (30 in 5 minutes) stops one that tries many names. *Name* (100 in an hour, from all addresses)
slows a botnet; its block begins at one minute. Each block is twice as long as the one before it that day, 15 minutes
at most, so no one is locked out permanently. A name that signed in from this address within 30 days is held to its
first count alone: neither a guesser in the same office nor a botnet elsewhere keeps its owner out.

A token has 256 random bits and no name, so one count by address does (120 in a minute). A token that was valid from
this address within a day passes: one broken integration behind an office's address does not shut out the others.
"""

import hashlib
import math
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

from django.http import HttpRequest
from ninja.errors import Throttled

from access import addresses, signals
from access.attempt_counts import Limit, Taken, counts

PREFIX = "vectorpress:attempts"


class Rule(NamedTuple):
    """A limit of a door: what it counts by, and the numbers of Limit."""

    by: str
    most: int
    seconds: int
    block: int


@dataclass(frozen=True, slots=True)
class Door:
    """The first `for_known` rules apply to a caller that signed in within `known_seconds`, all rules to others."""

    name: str
    rules: tuple[Rule, ...]
    for_known: int
    known_seconds: int


_PAIR, _ADDRESS, _NAME = "name and address", "address", "name"
PASSWORD = Door(
    "password",
    (Rule(_PAIR, 10, 300, 300), Rule(_ADDRESS, 30, 300, 300), Rule(_NAME, 100, 3_600, 60)),
    for_known=1,
    known_seconds=30 * 86_400,
)
CODE = Door("code", (Rule(_PAIR, 10, 300, 300), Rule(_NAME, 30, 3_600, 300)), for_known=2, known_seconds=0)
TOKEN = Door("token", (Rule(_ADDRESS, 120, 60, 60),), for_known=0, known_seconds=86_400)


class TooManyAttempts(Throttled):
    """Refused unseen: `wait` seconds are left of the block, or until a hash can be computed."""

    def __init__(self, wait: float) -> None:
        super().__init__(wait=max(1, math.ceil(wait)))


@dataclass(slots=True)
class Attempt:
    """An attempt that is counted; end it with one of the three methods."""

    door: Door
    name: str
    address: str
    taken: Taken
    limits: list[Limit]
    known: str
    shown_name: str

    def failed(self) -> None:
        """The secret was wrong: the attempt stays counted, and is announced where it is the first or the last."""
        if not self.taken.counts:  # a known token that has ended
            counts().settle(forget=[self.known])
        if not self.taken.counts or self.taken.counts[0] == 1:
            signals.attempt_failed.send(None, door=self.door.name, name=self.shown_name, address=self.address)
        for rule, count in zip(self.door.rules, self.taken.counts, strict=False):
            if count == rule.most:
                signals.attempts_blocked.send(
                    None,
                    door=self.door.name,
                    name=self.shown_name if rule.by != _ADDRESS else "",
                    address=self.address if rule.by != _NAME else "",
                    limited_by=rule.by,
                    failures=count,
                    seconds=rule.block,
                )

    def succeeded(self) -> None:
        """The secret was right: the caller's own count is forgotten, the shared ones are one less."""
        keys = [limit.key for limit in self.limits[: len(self.taken.counts)]]
        own = [key for key, rule in zip(keys, self.door.rules, strict=False) if rule.by == _PAIR]
        counts().settle(
            forget=own,
            give_back=[key for key in keys if key not in own],
            known=self.known if self.door.known_seconds else "",
            seconds=self.door.known_seconds,
        )

    def withdrawn(self) -> None:
        """The secret was not looked at."""
        counts().settle(give_back=[limit.key for limit in self.limits[: len(self.taken.counts)]])


def begin(door: Door, name: str, address: str, *, shown_name: str | None = None) -> Attempt:
    """Counts an attempt; `name` is an account's, or a hash of a token with `shown_name` empty.

    Raises TooManyAttempts where the caller is blocked.
    """
    key = addresses.limit_key(address)
    hashed = folded(name)
    parts = {_PAIR: f"{hashed}:{key}", _ADDRESS: key, _NAME: hashed}
    limits = [
        Limit(f"{PREFIX}:{door.name}:{rule.by}:{parts[rule.by]}".replace(" ", "-"), *rule[1:])
        for rule in door.rules
    ]
    known = f"{PREFIX}:{door.name}:known:{_hash(name)}:{key}".replace(" ", "-")
    taken = counts().take(limits, known, door.for_known)
    if taken.wait:
        raise TooManyAttempts(taken.wait)
    return Attempt(door, name, address, taken, limits, known, name if shown_name is None else shown_name)


def address_of(request: HttpRequest | None) -> str:
    """The client's address (config/http/proxies.py puts it there); empty for calls that did not come over the
    network."""
    return str(request.META.get("REMOTE_ADDR", "")) if request else ""


def folded(name: str) -> str:
    """Names that differ only in case or form share their counts; a success of one does not mark another as known."""
    return _hash(unicodedata.normalize("NFKC", name[:4_096]).casefold())


def _hash(text: str) -> str:
    """Redis holds no name."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
