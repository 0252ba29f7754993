"""A web process whose connections to the database are all in use: refused soon, and health is judged all the same."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from tests.queueops.factories import make_space, make_worker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
_ASK = """
import contextlib, json, sys, time
import config.wsgi
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
settings.ALLOWED_HOSTS.append("testserver")
from django.db import connection
from django.test import Client

client = Client(raise_request_exception=False)
client.get("/")  # reads what a process reads once
connection.ensure_connection()
pool = connection.pool
connection.close()
taken = [pool.getconn() for _ in range(pool.max_size)]
for path in ("/health", "/", "/api/articles"):
    began = time.monotonic()
    headers = {"authorization": f"Bearer {settings.AUTH_TOKEN}"}
    answer = client.get(path, headers=headers)
    print(json.dumps([path, answer.status_code, answer.headers.get("Retry-After"), time.monotonic() - began,
                      answer.content.decode()]))
for each in taken:
    pool.putconn(each)
print(json.dumps(["again", client.get("/").status_code]))
pool.close()
"""


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    small = {"DATABASE_POOL": "1", "WEB_THREADS": "1", "EMBEDDING_WORKER_THREADS": "1", "LOG_LEVEL": "error"}
    return os.environ | small


def test_requests_are_refused_in_seconds_and_health_is_judged_as_ever(environment: dict[str, str]) -> None:
    make_space()
    make_worker()
    name = str(connection.settings_dict["NAME"])
    ended = subprocess.run(
        [sys.executable, "-c", _ASK, name],
        capture_output=True, text=True, env=environment, cwd=settings.BASE_DIR, check=False, timeout=120,
    )  # fmt: skip
    lines: list[Any] = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(lines) == 4, ended.stderr
    health, page, api, again = lines
    assert health[1] == 200  # ok, or degraded where the worker's row has grown old meanwhile
    assert health[3] < 2
    for answer in (page, api):
        assert answer[1:3] == [503, "5"]
        assert answer[3] < 8
        assert "all connections of this process" in answer[4]
    assert again == ["again", 200]
