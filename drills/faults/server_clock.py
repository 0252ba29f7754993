"""The database server's own clock is an hour off under load, and comes back: libfaketime, loaded into Postgres only."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.tools.report import print_progress
from drills.server_restarts import restart_with
from drills.system_under_test import TIMEOUT_SECONDS, System
from drills.trial_results import FaultResult

HOUR = 3_600
PLACES = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/local/lib/faketime", "/opt/homebrew/lib/faketime")
MISSING = (
    "libfaketime is not installed (Debian: apt-get install libfaketime), so no server's clock can be turned"
)
_TURN = "clock"
_WORDS_OF_THE_LIBRARY = 5
_NEXT = {"+0": HOUR, f"+{HOUR}": -HOUR, f"-{HOUR}": 0}
_ARTICLES = 200
_WRITTEN = 20
_REFUSED_SECONDS = 2.0
_HEALTHY_SECONDS = 30.0
_TIMEOUT_SECONDS = 3 * TIMEOUT_SECONDS  # a worker has to start first, on a busy machine
_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"
_HELD = "SELECT count(*) FROM embedding_tasks WHERE status = 'processing'"
_BREAKERS_OPEN = "SELECT count(*) FROM provider_states WHERE breaker <> 'closed'"
_ENDED = "SELECT count(*) FROM embedding_audit_logs WHERE category = 'sweep' AND task_id IS NOT NULL"
_AHEAD = """
SELECT (SELECT count(*) FROM queue_state WHERE swept_at > clock_timestamp())
     + (SELECT count(*) FROM embedding_worker_status WHERE last_seen_at > clock_timestamp())
"""
# As a loader does that keeps its source's dates, and as somebody's own SQL does.
_INSERT = f"""
INSERT INTO articles (slug, title, content, created_at, updated_at)
SELECT 'loaded-' || gen_random_uuid(), 'Loaded ' || n, 'Of another source, ' || gen_random_uuid(),
       now() - interval '9 years', now() + interval '1 day'
FROM generate_series(1, {_WRITTEN}) n
"""
_BACKLOG = f"""
WITH written AS (
    INSERT INTO articles (slug, title, content)
    SELECT 'later-' || gen_random_uuid(), 'Later ' || n, 'Under another clock, ' || gen_random_uuid()
    FROM generate_series(1, {_ARTICLES}) n
    RETURNING id, slug, version_number, content_hash
)
INSERT INTO embedding_tasks (article_id, slug, space_id, source_version, content_hash)
SELECT w.id, w.slug, s.id, w.version_number, w.content_hash FROM written w CROSS JOIN embedding_spaces s
WHERE s.state <> 'retired'
"""
_EDIT = f"""
UPDATE articles SET content = 'By hand, ' || gen_random_uuid(), updated_at = now() + (id % 3 - 1) * interval '1 day'
WHERE id IN (SELECT id FROM articles ORDER BY id DESC LIMIT {_WRITTEN})
"""


def library() -> Path | None:
    """The path of libfaketime on this machine."""
    found = (path for place in PLACES for path in Path("/").glob(f"{place[1:]}/libfaketime.*1*"))
    return next(found, None)


def go_ahead(system: System) -> FaultResult:
    """An hour ahead; rate limits and a worker's death are written down by that clock; then it steps back."""
    with _unloading(system) as turn:
        broken = _turn(system, turn, HOUR)
        _write(system)
        system.stack.provider.configure(rate_429=0.5)
        time.sleep(_REFUSED_SECONDS)
        system.stack.provider.configure(rate_429=0)
        broken += _no_lease_ended(system, 0)
        system.execute(_BACKLOG)
        system.wait(lambda: system.value(_HELD), "a worker to hold tasks")
        system.kept[0].process.kill()
        broken += _turn(system, turn, 0)
        seconds, unfound = _recover(system)
        broken += unfound + _health_not_ok(system)
    return FaultResult(time.monotonic() - seconds, broken)


def fall_behind(system: System) -> FaultResult:
    """An hour back, during an outage; then ahead again, to the right time, while tasks are processed."""
    provider = system.stack.provider
    with _unloading(system) as turn:
        provider.process.kill()
        provider.process.exited.wait()
        system.wait(lambda: system.value(_BREAKERS_OPEN), "the breaker to open")
        system.kept[0].process.kill()
        broken = _turn(system, turn, -HOUR)
        provider.start()
        seconds, unfound = _recover(system)
        ended = system.value(_ENDED)
        system.execute(_BACKLOG)
        system.wait(lambda: system.value(_HELD), "a worker to hold tasks")
        broken += _turn(system, turn, 0)
        broken += unfound + _recover(system)[1] + _no_lease_ended(system, ended) + _health_not_ok(system)
    return FaultResult(time.monotonic() - seconds, broken)


def load(system: System) -> None:
    """Starts Postgres with the library; its clock is right. Exits where the machine has none."""
    found = library()
    if found is None:
        raise SystemExit(f"The server's clock was not tried: {MISSING}.")
    turn = system.stack.data_dir / _TURN
    _write_offset(turn, 0)
    postgres = system.stack.postgres
    preload = [
        "/usr/bin/env", f"LD_PRELOAD={found}", f"FAKETIME_TIMESTAMP_FILE={turn}", "FAKETIME_NO_CACHE=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ]  # fmt: skip
    restart_with(postgres, [*preload, *postgres.process.command])
    system.wait(lambda: system.value(_CLOCK), "the server")


@contextmanager
def _unloading(system: System) -> Iterator[Path]:
    """The file with the clock\'s offset; at the end, the server runs without the library again."""
    try:
        yield system.stack.data_dir / _TURN
    finally:
        words = system.stack.postgres.process.command
        restart_with(system.stack.postgres, words[_WORDS_OF_THE_LIBRARY:])


def step_on(system: System) -> None:
    """From the right time an hour ahead, then an hour behind, then back; after `load`."""
    turn = system.stack.data_dir / _TURN
    _write_offset(turn, _NEXT[turn.read_text().strip()])


def _write_offset(turn: Path, seconds: int) -> None:
    """In one step: the server must never read half a number."""
    new = turn.with_suffix(".new")
    new.write_text(f"{seconds:+d}\n")
    new.chmod(0o644)
    new.replace(turn)


def _turn(system: System, turn: Path, seconds: int) -> list[str]:
    _write_offset(turn, seconds)
    offset = float(system.value(_CLOCK)) - time.time()
    print_progress(f"the server's clock is {offset:+.0f} s off")
    return (
        [] if abs(offset - seconds) < 60 else [f"the server's clock is {offset:+.0f} s off, not {seconds:+d}"]
    )


def _write(system: System) -> None:
    system.execute(_INSERT)
    system.execute(_EDIT)


def _recover(system: System) -> tuple[float, list[str]]:
    """Writes by SQL; returns the seconds until all articles were embedded, and an error if they were not."""
    began = time.monotonic()
    _write(system)
    broken = system.wait_or_report(system.is_at_rest, "everything to be embedded", _TIMEOUT_SECONDS)
    return time.monotonic() - began, broken


def _no_lease_ended(system: System, before: int) -> list[str]:
    """A clock that steps forward must not count as a worker's death."""
    ended = int(system.value(_ENDED)) - before
    return [f"{ended} leases ended when the clock went ahead"] if ended else []


def _health_not_ok(system: System) -> list[str]:
    found = system.wait_or_report(lambda: system.health()[0] == "ok", "health to be ok", _HEALTHY_SECONDS)
    found += system.health()[1] if found else []
    ahead = system.value(_AHEAD)
    return found + ([f"{ahead} rows still have times in the future"] if ahead else [])
