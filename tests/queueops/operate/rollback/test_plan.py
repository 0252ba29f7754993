"""The plan names this installation, no secret, and commands that exist."""

import re
import shlex

import pytest
from django.conf import settings as django_settings
from django.core.management import get_commands, load_command_class

from queueops.models import Mode
from queueops.monitoring import snapshot
from queueops.operate import controls
from queueops.operate.rollback import plan
from tests.queueops.cli_runner import called
from tests.queueops.factories import make_article, make_space


def commands(text: str) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    return [row for block in blocks for row in block.splitlines() if row.startswith("./dev manage ")]


@pytest.mark.django_db
def test_the_plan_tells_of_this_installation_and_no_secret():
    make_space()
    make_article()
    controls.set_mode(Mode.SYNCHRONOUS, actor="ada", reason="no Redis")
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
    controls.pause(actor=evil, reason=evil)
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
