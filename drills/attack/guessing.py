"""Guesses at passwords and tokens, from one address and under forged ones."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from drills.attack.target import Target

_GUESSES = 40
_TOKENS = 200
# 40 checked passwords would be some 20 seconds
_CPU_SECONDS = 12.0


def passwords(target: Target) -> list[str]:
    """40 wrong passwords, then the right one; each check costs half a second of a processor."""
    before = _cpu_seconds(target)
    with target.client(address="127.77.0.1") as client:
        statuses = [
            target.try_password(client, target.login[0], f"guess {number}").status_code
            for number in range(_GUESSES)
        ]
        right = target.try_password(client, *target.login).status_code
    spent = _cpu_seconds(target) - before
    got = ["no guess was refused"] if 429 not in statuses else []
    got += [f"the right password was taken after {_GUESSES} guesses"] if right == 302 else []
    got += [f"they cost {spent:.1f} s of processor time"] if spent > _CPU_SECONDS else []
    return got + _unaudited(target) + target.slow_health(5)


def _unaudited(target: Target) -> list[str]:
    rows = target.sql(
        "SELECT count(*) FROM embedding_audit_logs WHERE message ILIKE '%%sign%%' OR message ILIKE '%%login%%'"
    )
    return [] if rows[0][0] else ["the audit log has no word of it"]


def forged_addresses(target: Target) -> list[str]:
    """The same under a forged address each time."""
    with target.client(address="127.77.0.2") as client:
        statuses = []
        for number in range(_GUESSES):
            client.headers["X-Forwarded-For"] = f"198.51.100.{number}"
            statuses.append(target.try_password(client, f"person-{number}", "guess").status_code)
    return [] if 429 in statuses else [f"{_GUESSES} guesses under forged addresses were all taken"]


def tokens(target: Target) -> list[str]:
    """200 wrong tokens, then the right one, from the same address; another address is not touched."""
    with target.client(address="127.77.0.3") as client:
        for number in range(_TOKENS):
            client.get("/api/articles", headers={"Authorization": f"Bearer vp_{number:08x}_{'x' * 43}"})
        right = client.get("/api/articles", headers={"Authorization": f"Bearer {target.token}"}).status_code
    with target.api(address="127.77.0.4") as elsewhere:
        other = elsewhere.get("/api/articles").status_code
    got = [f"the right token was taken after {_TOKENS} guesses"] if right == 200 else []
    return got + ([f"another address was answered {other}"] if other != 200 else [])


def _cpu_seconds(target: Target) -> float:
    """Processor time of the web processes until now."""
    ticks = 0
    for pid, command in target.processes().items():
        if "granian" in command or "web" in command:
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


ATTACKS: dict[str, Callable[[Target], list[str]]] = {
    f"{_GUESSES} guesses at a password": passwords,
    f"{_GUESSES} guesses under forged addresses": forged_addresses,
    f"{_TOKENS} guesses at a token": tokens,
}
