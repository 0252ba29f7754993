"""A rollback drill as an operator starts it: a scratch database, a process that walks in it, and no trace of either."""

import json
import subprocess
import sys
from collections.abc import Generator

import psycopg
from django.conf import settings
from django.db import connection

from queueops.operate.rollback import runner, scratch_database
from queueops.operate.rollback.step_result import Result, Step

INSIDE = "--inside"
_PREPARE = "scratch database"


def names() -> list[str]:
    """The steps that would be walked."""
    return [step.__name__.replace("_", " ") for step in runner.STEPS]


def run() -> Generator[Step]:
    """Walks every step on a scratch database with a fake provider, and drops that database however it ends."""
    try:
        with scratch_database.database() as database, scratch_database.provider() as provider:
            yield Step(
                _PREPARE, Result.PASS, f"{scratch_database.name()} was made, with a fake provider beside it"
            )
            yield from _walked(scratch_database.environment(database, provider))
    except psycopg.Error as error:
        said = str(error).strip().partition("\n")[0]
        yield Step(_PREPARE, Result.FAIL, f"{said}; {_may_create()}")


def _may_create() -> str:
    """Who could make the scratch database."""
    if settings.DATABASE_MAINTENANCE_ROLE:
        return "run this as the user who started the stack"
    role = connection.settings_dict["USER"] or "its role"
    return f"the role of DATABASE_URL must be allowed to create databases: ALTER ROLE {role} CREATEDB;"


def _walked(environment: dict[str, str]) -> Generator[Step]:
    """The steps as the inner process prints them, one JSON object per line."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "rollback_drill", INSIDE, "--json"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=settings.BASE_DIR,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    walked = 0
    try:
        for row in process.stdout:
            told = json.loads(row)
            yield Step(told["name"], Result(told["result"]), told["detail"])
            walked += 1
        if walked < len(runner.STEPS):
            said = process.stderr.read().strip().rpartition("\n")[2]
            yield Step(names()[walked], Result.FAIL, f"the drill broke off: {said or process.wait()}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
