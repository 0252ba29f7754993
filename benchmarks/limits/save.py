"""The least that saving an article can cost here: a token compared, the same three INSERTs into the same tables, a JSON
reply, by hand. No framework, no checks, no slugs; what Vectorpress does above it is read as a share of it."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import orjson
from psycopg_pool import ConnectionPool

# where the application finds its database; the server's processes know nothing else of the benchmark
DATABASE_VARIABLE = "FLOOR_DATABASE_URL"
_ARTICLE = """
INSERT INTO articles (slug, title, content, version_number) VALUES (%s, %s, %s, 1)
RETURNING id, created_at, version_number
"""
_VERSION = "INSERT INTO article_versions (article_id, version_number, title, content) VALUES (%s, 1, %s, %s)"
_TASK = (
    "INSERT INTO embedding_tasks (article_id, slug, space_id) SELECT %s, %s, min(id) FROM embedding_spaces"
)


def save(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A WSGI application that saves what is posted with the right token and answers 201."""
    if environ["REQUEST_METHOD"] != "POST":  # whether we are up
        start_response("204 No Content", [])
        return []
    token = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
    if not hmac.compare_digest(hashlib.sha256(token.encode()).digest(), _digest()):
        start_response("401 Unauthorized", [("Content-Length", "0")])
        return []
    article = orjson.loads(environ["wsgi.input"].read())
    slug = secrets.token_hex(8)
    with _pool().connection() as connection:
        row = connection.execute(_ARTICLE, [slug, article["title"], article["content"]]).fetchone()
        assert row is not None
        connection.execute(_VERSION, [row[0], article["title"], article["content"]])
        connection.execute(_TASK, [row[0], slug])
    body = orjson.dumps({**article, "slug": slug, "created_at": row[1], "version": row[2]})
    start_response("201 Created", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


@cache
def _digest() -> bytes:
    return hashlib.sha256(os.environ["AUTH_TOKEN"].encode()).digest()


@cache
def _pool() -> ConnectionPool:
    return ConnectionPool(os.environ[DATABASE_VARIABLE], min_size=1, max_size=10, open=True)
