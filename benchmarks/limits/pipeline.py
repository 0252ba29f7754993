"""The limit of working off a backlog: claim a batch, one provider call, one bulk write. Nothing is retried, leased
again, reused, bisected or recorded.

    PERF_PG_URI=… PERF_PROVIDER_URL=… python -m benchmarks.limits.pipeline pipe -n N --cfg PROCESSES:THREADS:BATCH

The database is this program's own: it drops and makes its tables. It prints documents per second, and the processor
seconds of itself and of Postgres.
"""

import argparse
import base64
import http.client
import multiprocessing
import os
import random
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.synchronize import Event, Semaphore
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import orjson
import psycopg

from benchmarks.tools.usage import Usage

DIMENSIONS = 384
_SCHEMA = f"""
CREATE EXTENSION IF NOT EXISTS vector;
DROP TABLE IF EXISTS task, vectors, article;
CREATE TABLE article (id bigint PRIMARY KEY, title text NOT NULL, content text NOT NULL);
CREATE TABLE vectors (article_id bigint PRIMARY KEY REFERENCES article, embedding vector({DIMENSIONS}) NOT NULL);
CREATE TABLE task (id bigint PRIMARY KEY, article_id bigint NOT NULL REFERENCES article,
                   state text NOT NULL DEFAULT 'pending', lease timestamptz, attempts int NOT NULL DEFAULT 0);
CREATE INDEX ON task (id) WHERE state = 'pending'
"""
_CLAIM = """
WITH due AS (SELECT id FROM task WHERE state = 'pending' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED),
taken AS (
    UPDATE task t SET state = 'running', lease = now() + interval '1 minute', attempts = attempts + 1
    FROM due WHERE t.id = due.id RETURNING t.id, t.article_id
)
SELECT taken.id, a.id, a.content FROM taken JOIN article a ON a.id = taken.article_id
"""
_DONE = "UPDATE task SET state = 'done', lease = NULL WHERE id = ANY(%s)"
_COMPLETE = "SELECT count(*) FROM task JOIN vectors USING (article_id) WHERE state = 'done'"
_HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8, b"\xff\xff"
_ROW = struct.Struct("!hiqiHH")


def main() -> None:
    options = _options()
    database = os.environ["PERF_PG_URI"]
    with psycopg.connect(database, autocommit=True) as session:
        _fill(session, options.n)
        processes, threads, batch = map(int, options.cfg.split(":"))
        ready, go = multiprocessing.Semaphore(0), multiprocessing.Event()
        workers = [
            multiprocessing.Process(target=_work, args=(database, threads, batch, ready, go))
            for _ in range(processes)
        ]
        for worker in workers:
            worker.start()
        for _ in range(processes * threads):
            ready.acquire()
        with Usage(_postmaster(session), os.getpid(), every=0.05) as used:
            began = time.monotonic()
            go.set()
            for worker in workers:
                worker.join()
            seconds = time.monotonic() - began
        done = session.execute(_COMPLETE).fetchone()
        assert done == (options.n,), done
    print(f"docs/s {options.n / seconds:.0f} cpu_seconds {used.seconds or 0:.2f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["pipe"])
    parser.add_argument("-n", type=int, default=20_000)
    parser.add_argument("--cfg", default="2:4:100", help="processes:threads in each:batch")
    parser.add_argument("--repeat", type=int, choices=[1], default=1)
    parser.add_argument("--latency", type=float, help="not used: the provider is set already")
    return parser.parse_args()


def _fill(session: psycopg.Connection, count: int) -> None:
    words = random.Random(7)
    session.execute(_SCHEMA)
    with session.cursor().copy("COPY article FROM STDIN") as copy:
        for number in range(count):
            content = " ".join(f"word{words.randrange(10_000)}" for _ in range(90))
            copy.write_row((number, f"Article {number}", content))
    session.execute("INSERT INTO task (id, article_id) SELECT id, id FROM article ORDER BY id")
    session.execute("VACUUM ANALYZE article, task")


def _work(database: str, threads: int, batch: int, ready: Semaphore, go: Event) -> None:
    """One process: each thread until nothing is due."""
    working = [threading.Thread(target=_drain, args=(database, batch, ready, go)) for _ in range(threads)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()


def _drain(database: str, batch: int, ready: Semaphore, go: Event) -> None:
    address = urlsplit(os.environ["PERF_PROVIDER_URL"])
    provider = http.client.HTTPConnection(address.netloc)
    with psycopg.connect(database, autocommit=True) as session:
        ready.release()
        go.wait()
        while rows := session.execute(_CLAIM, [batch]).fetchall():
            vectors = embed(provider, [content for _, _, content in rows])
            with session.transaction(), session.cursor() as cursor:
                with cursor.copy("COPY vectors FROM STDIN (FORMAT binary)") as copy:
                    copy.write(b"".join(binary_rows([article for _, article, _ in rows], vectors)))
                cursor.execute(_DONE, [[task for task, _, _ in rows]])


def embed(provider: http.client.HTTPConnection, texts: Sequence[str]) -> list[bytes]:
    """The vector of each text, its numbers as Postgres receives them."""
    body = orjson.dumps({"model": "fake-embed", "input": texts, "encoding_format": "base64"})
    provider.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
    reply = provider.getresponse()
    answer = orjson.loads(reply.read())
    assert reply.status == 200, answer
    found = [base64.b64decode(each["embedding"]) for each in answer["data"]]
    return [np.frombuffer(vector, "<f4").astype(">f4").tobytes() for vector in found]


def binary_rows(articles: Sequence[int], vectors: Sequence[bytes]) -> Iterator[bytes]:
    """Article and vector as COPY receives them."""
    yield _HEADER
    for article, vector in zip(articles, vectors, strict=True):
        yield _ROW.pack(2, 8, article, 4 + len(vector), len(vector) // 4, 0)
        yield vector
    yield _TRAILER


def _postmaster(session: psycopg.Connection) -> int | None:
    """The process that all sessions of the server belong to, if it runs on this machine."""
    row = session.execute("SELECT pg_backend_pid()").fetchone()
    status = Path(f"/proc/{row[0]}/stat") if row else Path()
    return int(status.read_text().rpartition(")")[2].split()[1]) if status.is_file() else None


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    main()
