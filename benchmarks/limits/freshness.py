"""The least time from a save to a searchable vector: a commit with the text, one provider call, a commit with the
vector. No web server, no queue, no wake-up, no search."""

import http.client
import secrets
import time
from urllib.parse import urlsplit

import psycopg

from benchmarks.limits.pipeline import DIMENSIONS, binary_rows, embed

_SCHEMA = f"""
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE floor_articles (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, slug text, title text, content text);
CREATE TABLE floor_tasks (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, article_id bigint, status text);
CREATE TABLE floor_vectors (article_id bigint PRIMARY KEY, embedding vector({DIMENSIONS}))
"""
_ARTICLE = "INSERT INTO floor_articles (slug, title, content) VALUES (%s, %s, %s) RETURNING id"
_TASK = "INSERT INTO floor_tasks (article_id, status) VALUES (%s, 'pending') RETURNING id"
_VECTOR = "COPY floor_vectors FROM STDIN (FORMAT binary)"
_DONE = "UPDATE floor_tasks SET status = 'completed' WHERE id = %s"


class Floor:
    """Tables of its own in a database, and a kept connection to the provider."""

    def __init__(self, database: str, provider: str) -> None:
        self._session = psycopg.connect(database, autocommit=True)
        self._session.execute(_SCHEMA)
        self._provider = http.client.HTTPConnection(urlsplit(provider).netloc, timeout=30)

    def save_and_embed(self, title: str, content: str) -> float:
        """Seconds until the vector is committed."""
        began = time.perf_counter()
        with self._session.transaction():
            article = self._only(_ARTICLE, secrets.token_hex(8), title, content)
            task = self._only(_TASK, article)
        (vector,) = embed(self._provider, [f"{title}\n\n{content}"])
        with self._session.transaction():
            with self._session.cursor().copy(_VECTOR) as copy:
                copy.write(b"".join(binary_rows([article], [vector])))
            self._session.execute(_DONE, [task])
        return time.perf_counter() - began

    def _only(self, statement: str, *values: object) -> int:
        row = self._session.execute(statement.encode(), values).fetchone()
        assert row is not None
        return int(row[0])
