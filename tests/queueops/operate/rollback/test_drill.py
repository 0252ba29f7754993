"""The drill walks every step on a scratch database, and leaves no trace however it ends."""

import signal
import subprocess
import sys

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection

from queueops.operate.rollback import drill, scratch_database
from queueops.operate.rollback.step_result import Result
from tests.queueops.cli_runner import called
from tests.queueops.operate.rollback.test_scratch_database import databases
from tests.waiting import wait_until

GENEROUS = 60.0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_drill_passes_every_step_and_drops_its_database() -> None:
    walked = called("rollback_drill", "--json")
    steps = {step["name"]: (step["result"], step["detail"]) for step in walked.json["steps"]}
    assert {name: says for name, (result, says) in steps.items() if result != "pass"} == {}
    assert walked.code == 0
    assert list(steps) == ["scratch database", *drill.names()]
    assert scratch_database.name() not in databases()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_drill_that_is_killed_in_the_middle_drops_its_database() -> None:
    here = scratch_database.address(connection.settings_dict).replace(
        scratch_database.name(), connection.settings_dict["NAME"]
    )
    drilling = subprocess.Popen(
        [sys.executable, "manage.py", "rollback_drill"],
        env=scratch_database.environment(here, "http://127.0.0.1:9/v1"),
        cwd=django_settings.BASE_DIR,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: scratch_database.name() in databases(), GENEROUS, "the scratch database")
    drilling.terminate()
    assert drilling.wait(GENEROUS) == 128 + signal.SIGTERM
    assert scratch_database.name() not in databases()


@pytest.mark.django_db
def test_a_user_who_may_not_create_databases_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise psycopg.errors.InsufficientPrivilege("permission denied to create database")

    monkeypatch.setattr(scratch_database, "_server", refuse)
    (step,) = drill.run()
    assert (step.result, step.detail.partition(";")[0]) == (
        Result.FAIL,
        "permission denied to create database",
    )
