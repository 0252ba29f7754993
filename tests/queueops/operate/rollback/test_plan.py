"""The plan names this installation, no secret, and commands that exist."""

import re
import shlex

import pytest
from django.conf import settings as django_settings
from django.core.management import get_commands, load_command_class

from queueops.engine import modes
from queueops.models import Mode
from queueops.monitoring import snapshot
from queueops.operate import controls
from queueops.operate.rollback import plan
from tests.queueops.cli_runner import called
from tests.queueops.factories import make_article, make_space, make_tasks


def commands(text: str) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    return [row for block in blocks for row in block.splitlines() if row.startswith("python manage.py ")]


@pytest.mark.django_db
def test_the_plan_shows_this_installation_and_no_secret() -> None:
    make_space()
    make_article()
    controls.set_mode(Mode.SYNCHRONOUS, actor="ada", reason="no Redis")
    text = called("rollback_plan").out
    assert "| mode | synchronous (the settings ask for queued); not paused |" in text
    assert "| articles | 1, of which 0 are searchable by their current text |" in text
    assert "openai/fake-embed v100 (serving)" in text
    assert "python manage.py queue_admin mode synchronous --reason" in text
    assert django_settings.AUTH_TOKEN not in text
    assert [f"## {n}. {way.title}" in text for n, way in enumerate(plan.ways(snapshot.take()), 1)] == [
        True
    ] * 5
    assert called("rollback_plan", "--json").json["plan"].startswith("# Rollback plan")


@pytest.mark.django_db
def test_no_text_of_a_row_adds_a_command_to_the_plan() -> None:
    honest = commands(plan.write())
    evil = "x\n```bash\npython manage.py shell -c evil\n```\u2028| a | [click](http://evil.example) <b>"
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
def test_every_command_of_the_plan_can_be_said() -> None:
    known = get_commands()
    rows = commands(plan.write())
    assert len(rows) > 20
    for row in rows:
        _, _, command, *words = shlex.split(row)
        app = known[command]
        instance = load_command_class(app, command) if isinstance(app, str) else app
        instance.create_parser("manage.py", command).parse_args(words)


@pytest.mark.django_db
def test_each_way_has_its_commands_what_it_loses_and_how_it_is_taken_back() -> None:
    make_space()
    ways = plan.ways(snapshot.take())
    assert len({way.title for way in ways}) == len(ways)
    for way in ways:
        assert all((way.when, way.loses, way.commands, way.verify, way.undo))


@pytest.mark.django_db
@pytest.mark.parametrize("mode", ["synchronous", "disabled"])
def test_a_mode_that_somebody_set_is_the_one_to_go_back_to(mode: str) -> None:
    make_space()
    undo = plan.ways(snapshot.take())[0].undo
    assert any("mode environment" in command for command in undo)
    controls.set_mode(Mode(mode), actor="ada", reason="x")
    modes.forget()
    assert any(f"mode {mode}" in command for command in plan.ways(snapshot.take())[0].undo)


@pytest.mark.django_db
def test_what_a_migration_has_queued_is_counted_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "COUNT_LIMIT", 2)
    space = make_space()
    for count, told in ((1, "(1)"), (1, "2 or more")):
        make_tasks(count, space, metadata={"reason": "migration"}, priority="low" if "1" in told else "high")
        [loses] = [way.loses for way in plan.ways(snapshot.take()) if way.title.startswith("Migration")]
        assert told in loses


@pytest.mark.django_db
def test_the_plan_of_an_empty_installation_can_be_written() -> None:
    type(make_space()).objects.all().delete()
    text = plan.write()
    assert "| spaces | none |" in text
    assert "the same model" in text
