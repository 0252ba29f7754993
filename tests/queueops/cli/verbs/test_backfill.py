"""The verbs of a backfill: the words without a verb, and their page."""

import re

import pytest

from queueops.cli.frame.verb import ShellVerb
from queueops.cli.verbs import backfill
from tests.paths import ROOT
from tests.queueops.cli.verbs.test_commands_page import lines_of

PAGE = (ROOT / "docs/migrating.md").read_text()
SECTIONS = dict(re.findall(r"^### `([\w-]+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("verb", list(backfill.family), ids=lambda verb: verb.name)
def test_the_page_has_the_verb_with_its_options_and_keys(verb: ShellVerb) -> None:
    lines = SECTIONS.get(verb.name, "").splitlines()
    missing = [line for line in lines_of(verb) if line not in lines]
    assert not missing, f"### `{verb.name}` must say:\n" + "\n".join(lines_of(verb))


def test_the_page_has_no_verb_that_there_is_not() -> None:
    assert SECTIONS.keys() == {verb.name for verb in backfill.family}
