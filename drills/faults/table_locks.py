"""Another session locks one table after another, while clients save, search and request health."""

import time
from collections.abc import Sequence

import psycopg

from config.stack import services
from drills.http_clients import Clients, Reply
from drills.system_under_test import System
from drills.trial_results import FaultResult

_BOOT_SECONDS = 60.0
_TABLES = """
SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace ORDER BY relname
"""
# What a search by a token's holder reads; with any other table locked it still works.
SEARCH_READS = frozenset(
    {"api_tokens", "articles", "article_versions", "article_embeddings", "embedding_spaces"}
)
_LOCK_HOLDER = "a lock holder"
# A request waits DATABASE_LOCK_TIMEOUT (2 s) at first, and behind those that do; health has its own bound.
_ANSWER_SECONDS, HEALTH_SECONDS = 6.0, 2.5
_STALL_SECONDS = 5.0
_LINES = 40
_SEARCHES = 60  # by then each web process has read the mode, which it remembers while the row is locked
_HALF_SAVED = """
SELECT count(*) FROM articles a WHERE title = ANY(%s)
    OR NOT EXISTS (SELECT FROM article_versions v WHERE v.article_id = a.id AND v.version_number = a.version_number)
"""
_CHARGED = """
SELECT count(*) FROM embedding_tasks WHERE error_class = 'worker_lost' OR status = 'failed' OR attempts > 1
"""


def lock_tables(system: System) -> FaultResult:
    """Each table of the schema in turn, for `system.lock_seconds` each, by a role of the product's or a superuser."""
    web = services.web()
    web.process.on_line = system.count_line
    web.start(_BOOT_SECONDS)
    clients = Clients(system.stack.web_url)
    broken: list[str] = []
    try:
        with clients.busy():
            tables = [str(row[0]) for row in system.stack.database.execute(_TABLES).fetchall()]
            system.chosen.shuffle(tables)
            system.wait(lambda: clients.has_warmed_up(_SEARCHES), "some searches", _BOOT_SECONDS)
            for table in tables:
                broken += _lock(system, clients, table)
                if system.value(_CHARGED):
                    broken.append(f"{table}: tasks were charged for the lock")
        broken += _half_saved(system, clients)
    finally:
        web.stop()
    return FaultResult(time.monotonic(), broken)


def _lock(system: System, clients: Clients, table: str) -> list[str]:
    stack = system.stack
    url = system.chosen.choice([stack.postgres.url, stack.postgres.maintenance_url])
    system.lines.clear()
    with psycopg.connect(url, application_name=_LOCK_HOLDER) as holder:
        holder.execute(f'LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE'.encode())
        clients.new_replies()  # drops the replies from before the lock
        began = time.monotonic()
        while time.monotonic() < began + system.lock_seconds:
            system.restart_ended_workers()
            time.sleep(0.1)
        replies = clients.new_replies()
    logged = list(system.lines)
    broken = (
        [f"{table}: {len(logged)} lines were logged, such as {logged[-1]}"] if len(logged) > _LINES else []
    )
    broken += [f"{table}: {words}" for words in _wrong(table, replies, began)]
    system.wait(lambda: clients.is_well(), f"saves after {table} was locked", _ANSWER_SECONDS * 2)
    return broken


def _wrong(table: str, replies: Sequence[Reply], began: float) -> list[str]:
    """Replies that should not have come while the table was locked, as sentences."""
    health = [each for each in replies if each.path == "/health"]
    others = [each for each in replies if each.path != "/health"]
    wrong = [f"{each.path} answered {each.status}" for each in others if each.status not in (200, 201, 503)]
    wrong += [f"{each.path} answered 503 without Retry-After" for each in others if each.is_bare]
    wrong += [f"{each.path} took {each.seconds:.1f} s" for each in others if each.seconds > _ANSWER_SECONDS]
    wrong += [f"health took {each.seconds:.1f} s" for each in health if each.seconds > HEALTH_SECONDS]
    if not any(table in each.body and _LOCK_HOLDER in each.body for each in health):
        wrong.append("health did not name the lock and its holder")
    later = [each for each in others if each.path == "/api/search" and each.asked > began + _STALL_SECONDS]
    refused = [] if table in SEARCH_READS else [each for each in later if each.status != 200]
    wrong += [
        f"a search that does not read it was answered {each.status}: {each.body}" for each in refused[:1]
    ]
    return sorted(set(wrong))


def _half_saved(system: System, clients: Clients) -> list[str]:
    row = system.stack.database.execute(_HALF_SAVED.encode(), [clients.refused]).fetchone()
    return [f"{row[0]} refused saves left something behind"] if row and row[0] else []
