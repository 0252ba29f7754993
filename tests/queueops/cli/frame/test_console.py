"""What every verb of the operator's command may count on: output, errors, questions, exit codes."""

import io
import sys
from _io import StringIO
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import ManagementUtility
from django.core.management.base import OutputWrapper

from queueops.cli.frame.console import Console
from queueops.cli.frame.exit_codes import Exit, Refused
from queueops.cli.frame.tables import facts, line, table
from queueops.cli.frame.verb import ShellVerb, no_arguments
from queueops.management.commands.queue_admin import FAMILIES
from queueops.monitoring.provider_status import ProviderStatus
from tests.queueops.cli_runner import Terminal

VERBS = [verb for family in FAMILIES for verb in family]


def make_console(out: StringIO | None = None, **options: Any) -> Console:
    verb = ShellVerb("try", "", lambda console: None, no_arguments, ("rows",))
    defaults: dict[str, Any] = {"actor": "ada", "as_json": False}
    return Console(verb, OutputWrapper(out or io.StringIO()), **defaults | options)


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A person at the terminal who types this."""

    def types(words: str) -> None:
        monkeypatch.setattr(sys, "stdin", Terminal(words))
        monkeypatch.setattr(sys, "stderr", Terminal())

    return types


def test_each_verb_has_one_name() -> None:
    assert len({verb.name for verb in VERBS}) == len(VERBS)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_each_verb_takes_json(verb: ShellVerb, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        ManagementUtility(["manage.py", "queue_admin", verb.name, "--help"]).execute()
    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out


READING = {
    "status", "stats", "metrics", "health", "recent", "failed", "list", "debug", "explain", "monitor", "audit",
    "wait-for-completion", "stuck",
}  # fmt: skip


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb.name not in READING], ids=lambda verb: verb.name
)
def test_each_verb_that_changes_something_takes_the_same_options(verb: ShellVerb) -> None:
    parser = ArgumentParser()
    verb.arguments(parser)
    wanted = {"--yes", "--confirm", "--dry-run"} | ({"--reason"} if verb.name != "export" else set())
    assert not wanted - parser._option_string_actions.keys()
    assert "dry_run" in verb.keys


def test_a_verb_answers_with_exactly_the_keys_that_it_declares() -> None:
    with pytest.raises(TypeError, match="try declares"):
        make_console().print_result({"others": 1}, "")


def test_json_is_one_object_on_a_line_and_nothing_else() -> None:
    out = io.StringIO()
    console = make_console(out, as_json=True)
    console.show("for people")
    console.print_result({"rows": [ProviderStatus("local")]}, "for people")
    assert out.getvalue().startswith('{"rows": [{"name": "local", "breaker": "closed"')
    assert out.getvalue().count("\n") == 1


def test_user_input_cannot_control_the_terminal() -> None:
    out = Terminal()
    make_console(out, no_color=True).show(table(["slug"], [["[red]x[/red]\x1b[2J\r\ny"]]), line("\x9b2J"))
    assert "[red]x[/red]\\x1b[2J y" in out.getvalue()
    assert "\x9b" not in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()


HIDDEN = "pay\u202elap \u200b\u2066\ufeff\xad\U000e0041\u2028"


def test_user_input_is_escaped_in_tables_lines_sentences_and_questions(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Terminal()
    console = make_console(out, no_color=True)
    console.show(table(["slug"], [[HIDDEN]]), facts([("slug", HIDDEN)]), line(HIDDEN), f"{HIDDEN}: 3 tasks")
    assert console.agree(f"replace {HIDDEN}", yes=True, dry_run=False)
    assert out.getvalue().count("pay\\u202elap \\u200b\\u2066\\ufeff\\xad\\U000e0041\\u2028") == 4
    assert not set(out.getvalue() + capsys.readouterr().err) & (set(HIDDEN) - set("pay lap"))


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for screen, settings, has_colour in (
        (Terminal(), {}, True),
        (io.StringIO(), {}, False),
        (Terminal(), {"NO_COLOR": "1"}, False),
    ):
        with monkeypatch.context() as environment:
            for name in ("NO_COLOR", "FORCE_COLOR"):
                environment.delenv(name, raising=False)
            for name, value in settings.items():
                environment.setenv(name, value)
            make_console(screen).show(line("degraded", "yellow"))
        assert ("\x1b[33m" in screen.getvalue()) is has_colour


def test_without_a_terminal_nothing_is_folded_or_padded() -> None:
    out = io.StringIO()
    make_console(out).show(table(["a", "b"], [["x", "word " * 100], ["y", "z"]]))
    assert out.getvalue().splitlines() == ["a  b", "x  " + ("word " * 100).strip(), "y  z"]


def test_a_dry_run_says_what_it_would_do_and_does_nothing() -> None:
    out = io.StringIO()
    assert not make_console(out).agree("cancel 12 pending tasks", yes=True, dry_run=True)
    assert out.getvalue() == "This would cancel 12 pending tasks. Nothing was changed.\n"


def test_a_person_is_asked_and_only_yes_means_yes(person: Callable[..., None]) -> None:
    person("y\n")
    assert make_console().agree("cancel 12 tasks", yes=False, dry_run=False)
    for words in ("\n", "n\n", ""):
        person(words)
        with pytest.raises(Refused, match="nothing was changed"):
            make_console().agree("cancel 12 tasks", yes=False, dry_run=False)


def test_where_nobody_can_be_asked_it_refuses_and_names_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(Refused, match="Add --yes") as refused:
        make_console().agree("cancel 12 tasks", yes=False, dry_run=False)
    assert refused.value.exit is Exit.REFUSED
    assert make_console().agree("cancel 12 tasks", yes=True, dry_run=False)


def test_a_bar_is_shown_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for screen in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", screen)
        with make_console().progress("Counting", 2) as steps:
            steps.advance()
            steps.set(2, 2)
        assert bool(screen.getvalue()) is screen.isatty()
