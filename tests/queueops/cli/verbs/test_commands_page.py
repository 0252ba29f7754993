"""docs/commands.md has each verb of queue_admin with the options and JSON keys that it really has."""

import argparse
import re
from argparse import ArgumentParser

import pytest

from queueops.cli.frame.exit_codes import Exit
from queueops.cli.frame.verb import ShellVerb
from queueops.cli.verbs import health
from queueops.management.commands.queue_admin import FAMILIES
from tests.paths import ROOT

PAGE = (ROOT / "docs/commands.md").read_text()
VERBS = [verb for family in FAMILIES for verb in family]
SECTIONS = dict(re.findall(r"^### `([\w-]+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def lines_of(verb: ShellVerb) -> list[str]:
    """What the page must say of a verb: what it does, its options, its keys."""
    parser = ArgumentParser(add_help=False)
    verb.arguments(parser)
    return [_sentence(verb.help), *map(_option, parser._actions), _keys(verb)]


def _sentence(help: str) -> str:
    return f"{help[:1].upper()}{help[1:]}."


def _option(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else action.metavar or (action.choices and "|".join(action.choices)) or ""
    names = " ".join(["|".join(action.option_strings), str(value)]).strip() or action.dest
    expanded = (action.help or "") % {"choices": ", ".join(action.choices or ()), "default": action.default}
    return f"- `{names}`: {expanded}"


def _keys(verb: ShellVerb) -> str:
    more = [key for key in verb.keys if key not in health.KEYS]
    if verb.name == "health" or not set(health.KEYS) <= set(verb.keys):
        return "JSON: " + ", ".join(f"`{key}`" for key in verb.keys)
    return "JSON: the keys of `health`" + "".join(f", `{key}`" for key in more)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_the_page_has_the_verb_with_its_options_and_keys(verb: ShellVerb) -> None:
    lines = SECTIONS.get(verb.name, "").splitlines()
    missing = [line for line in lines_of(verb) if line not in lines]
    assert not missing, f"### `{verb.name}` must say:\n" + "\n".join(lines_of(verb))
    options = [line for line in lines if line.startswith("- `")]
    assert len(options) == len([line for line in lines_of(verb) if line.startswith("- `")])


def test_the_page_has_no_verb_that_there_is_not() -> None:
    assert SECTIONS.keys() == {verb.name for verb in VERBS}


def test_the_page_has_every_exit_code() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert told == {code.value for code in Exit}
