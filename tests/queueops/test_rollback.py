"""The plan names this installation and commands that exist; the drill walks the ways back and leaves no trace."""

import re
import shlex
import signal
import subprocess
import sys

import psycopg
import pytest
from django.conf import settings as django_settings
from django.core.management import get_commands, load_command_class
from django.db import connection

from queueops import snapshot, switches
from queueops.models import Mode
from queueops.rollback import drill, plan, scratch, walk
from queueops.rollback.step import Broken, Result
from tests.queueops.calling import called
from tests.queueops.making import make_article, make_space
from tests.waiting import wait_until

GENEROUS = 60.0


def databases() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in cursor.fetchall()}


def commands(text: str) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    return [row for block in blocks for row in block.splitlines() if row.startswith("./dev manage ")]


@pytest.mark.django_db
def test_the_plan_tells_of_this_installation_and_no_secret():
    make_space()
    make_article()
    switches.set_mode(Mode.SYNCHRONOUS, actor="ada", reason="no Redis")
    text = called("rollback_plan").out
    assert "| mode | synchronous (the settings ask for queued); not paused |" in text
    assert "| articles | 1, of which 0 are found by their present text |" in text
    assert "openai/fake-embed v100 (serving)" in text
    assert "./dev manage queue_admin mode synchronous --reason" in text
    assert django_settings.AUTH_TOKEN not in text
    assert [f"## {n}. {way.title}" in text for n, way in enumerate(plan.ways(snapshot.take()), 1)] == [
        True
    ] * 5
    assert called("rollback_plan", "--json").json["plan"].startswith("# Rollback plan")


@pytest.mark.django_db
def test_no_text_of_a_row_adds_a_command_to_the_plan():
    honest = commands(plan.write())
    evil = "x\n```bash\n./dev manage shell -c evil\n```\u2028| a | [click](http://evil.example) <b>"
    space = make_space()
    space.model = evil
    space.save()
    switches.pause(actor=evil, reason=evil)
    text = plan.write()
    assert commands(text) == honest
    assert "\u2028" not in text
    head = text.partition("## Settings")[0]
    assert "[click](" not in head.replace("\\[", "")
    assert "<b>" not in head.replace("\\<", "")


@pytest.mark.django_db
def test_every_command_of_the_plan_can_be_said():
    known = get_commands()
    rows = commands(plan.write())
    assert len(rows) > 20
    for row in rows:
        _, _, command, *words = shlex.split(row)
        app = known[command]
        instance = load_command_class(app, command) if isinstance(app, str) else app
        instance.create_parser("manage.py", command).parse_args(words)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_drill_passes_every_step_and_drops_its_database():
    walked = called("rollback_drill", "--json")
    steps = {step["name"]: (step["result"], step["says"]) for step in walked.json["steps"]}
    assert {name: says for name, (result, says) in steps.items() if result != "pass"} == {}
    assert walked.code == 0
    assert list(steps) == ["scratch database", *drill.names()]
    assert scratch.name() not in databases()


@pytest.mark.django_db
def test_a_dry_run_of_the_drill_makes_nothing():
    said = called("rollback_drill", "--dry-run").out
    assert f"This would make the database {scratch.name()}" in said
    assert "emergency stop" in said
    assert scratch.name() not in databases()


@pytest.mark.django_db(transaction=True)
def test_a_leftover_scratch_database_is_replaced_and_dropped_even_when_the_drill_fails():
    def boom() -> None:
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), scratch.database():
            assert scratch.name() in databases()
            boom()
    assert scratch.name() not in databases()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_drill_that_is_killed_in_the_middle_drops_its_database():
    here = scratch.address(connection.settings_dict).replace(scratch.name(), connection.settings_dict["NAME"])
    drilling = subprocess.Popen(
        [sys.executable, "manage.py", "rollback_drill"],
        env=scratch.environment(here, "http://127.0.0.1:9/v1"),
        cwd=django_settings.BASE_DIR,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: scratch.name() in databases(), GENEROUS, "the scratch database")
    drilling.terminate()
    assert drilling.wait(GENEROUS) == 128 + signal.SIGTERM
    assert scratch.name() not in databases()


@pytest.mark.django_db
def test_a_user_who_may_not_create_databases_is_told_so(monkeypatch):
    def refuse():
        raise psycopg.errors.InsufficientPrivilege("permission denied to create database")

    monkeypatch.setattr(scratch, "_server", refuse)
    (step,) = drill.run()
    assert (step.result, step.says.partition(";")[0]) == (Result.FAIL, "permission denied to create database")


@pytest.mark.django_db
def test_nobody_walks_outside_a_scratch_database():
    with pytest.raises(RuntimeError, match="scratch database only"):
        next(walk.walk())


@pytest.mark.django_db
def test_a_step_that_is_broken_fails_and_the_next_is_walked_all_the_same(monkeypatch):
    def first() -> str:
        raise Broken("it did not hold")

    def second() -> str:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(scratch, "is_here", lambda: True)
    monkeypatch.setattr(walk, "STEPS", (first, second, lambda: "well"))
    assert [(step.result, step.says) for step in walk.walk()] == [
        (Result.FAIL, "it did not hold"),
        (Result.FAIL, "ZeroDivisionError: a bug"),
        (Result.PASS, "well"),
    ]


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        (
            {"HOST": "db", "PORT": 5432, "USER": "ada", "PASSWORD": "p:w"},
            "postgresql://ada:p%3Aw@db:5432/x_drill",
        ),
        (
            {"HOST": "/run/pg", "PORT": "", "USER": "ada", "PASSWORD": ""},
            "postgresql://ada@/x_drill?host=/run/pg",
        ),
        (
            {"HOST": "", "PORT": "", "USER": "ada", "PASSWORD": "", "OPTIONS": {"host": "/run/pg"}},
            "postgresql://ada@/x_drill?host=/run/pg",
        ),
        (
            {
                "HOST": "db",
                "PORT": "",
                "USER": "a",
                "PASSWORD": "",
                "OPTIONS": {"sslmode": "require", "pool": {}},
            },
            "postgresql://a@db/x_drill?sslmode=require",
        ),
    ],
)
def test_the_drills_address_is_that_of_this_installation_with_another_name(changes, address):
    assert scratch.address({"NAME": "x", "OPTIONS": {}} | changes) == address
