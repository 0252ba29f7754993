"""One size's part of `./dev bench scale`: a process with a database of its own; it reads on standard input what to do.

    DATABASE_URL=… python -m benchmarks.tools.scale_process

A request is a line of JSON, [VERB, ARGUMENT …], its answer another one: ["fill", N] and then ["index"] prepare the
database and return the names of the operations, ["measure", NAME, TIMES] the seconds and pages per item of each call.
"""

import json
import sys
import time
from typing import Any

import django
from django.core.management import call_command
from django.db import connection
from django.utils.module_loading import import_string

_TASK_TABLE = """
SELECT (SELECT count(*) FROM embedding_tasks) AS rows, pg_relation_size(relid) AS heap_bytes,
       pg_indexes_size(relid) AS index_bytes, n_dead_tup AS dead_rows,
       (pg_relation_size(relid) / greatest((SELECT count(*) FROM embedding_tasks), 1))::int AS heap_bytes_per_row,
       round(n_tup_hot_upd / greatest(n_tup_upd, 1)::numeric, 3)::float8 AS hot_share, autovacuum_count AS autovacuums
FROM pg_stat_user_tables WHERE relid = 'embedding_tasks'::regclass
"""
# ends the name of the same search by raw SQL
RAW = ", raw"
# Pages of tables and indexes that the session has touched; a session reports them at the end of a statement.
_REPORT = "SELECT pg_stat_force_next_flush()"
_PAGES = """
SELECT (coalesce(sum(hits), 0) + coalesce(sum(reads), 0))::bigint FROM pg_stat_get_backend_io(pg_backend_pid())
"""
_SIZES = """
SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables
WHERE relname IN ('articles', 'article_versions', 'article_embeddings', 'embedding_tasks')
"""


class _Requests:
    """What is answered; each method is a verb."""

    def fill(self, count: int) -> dict[str, Any]:
        """The names of the operations, the seconds it took, and the bytes of each table."""
        began = time.monotonic()
        call_command("migrate", verbosity=0)
        self._operations = import_string("benchmarks.tools.scale_operations.filled")(count)
        self._found = self._operations.of_the_queue()
        with connection.cursor() as cursor:
            cursor.execute(_SIZES)
            sizes = dict(cursor.fetchall())
        return {
            "operations": list(self._found),
            "seconds": round(time.monotonic() - began, 1),
            "bytes": sizes,
        }

    def index(self) -> dict[str, Any]:
        """The names of the searches, and the seconds that building the approximate index took."""
        began = time.monotonic()
        import_string("embeddings.storage.ann_index.build")(self._operations.space)
        self._found = self._operations.of_search()
        return {"operations": list(self._found), "seconds": round(time.monotonic() - began, 1)}

    def churn(self, count: int) -> dict[str, float]:
        """Works off so many tasks more; then the table of tasks: its rows, bytes, and how its updates were made."""
        began = time.monotonic()
        self._operations.churn(count)
        seconds = time.monotonic() - began
        _pages()  # so that the counters are reported
        with connection.cursor() as cursor:
            cursor.execute(_TASK_TABLE)
            names = [column.name for column in cursor.description]
            return {"seconds": round(seconds, 1)} | dict(zip(names, cursor.fetchone(), strict=True))

    def measure(self, name: str, times: int) -> list[dict[str, float]]:
        return [_measured(self._found[name]) for _ in range(times)]


def _measured(operation: Any) -> dict[str, float]:
    operation.before()
    pages = _pages()
    began = time.perf_counter()
    items = operation.run()
    seconds = time.perf_counter() - began
    pages = _pages() - pages
    operation.after()
    return {"seconds": seconds / items, "pages": pages / items}


def _pages() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_REPORT)
        cursor.execute(_PAGES)
        return int(cursor.fetchone()[0])


def main() -> None:
    django.setup()
    requests, answers = _Requests(), sys.stdout
    sys.stdout = sys.stderr  # what anything else prints is not an answer
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        print(json.dumps(getattr(requests, verb)(*arguments)), file=answers, flush=True)


if __name__ == "__main__":
    main()
