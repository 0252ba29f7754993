"""docs/checks.md has each command that checks, drills and repairs, with its options and JSON keys as they are."""

import re
from argparse import SUPPRESS

import pytest

from queueops.cli.verbs import checks, reindex, review, rollback, spaces
from tests.paths import ROOT
from tests.queueops.cli.verbs.test_commands_page import lines_of

PAGE = (ROOT / "docs/checks.md").read_text()
ONE_VERB = (rollback.planning, rollback.drilling, reindex.family, review.family)
NAMED = (
    {f"embed_check {verb.name}": verb for verb in checks.family}
    | {verb.name: verb for family in ONE_VERB for verb in family}
    | {f"spaces {verb.name}": verb for verb in spaces.family}
)
SECTIONS = dict(re.findall(r"^### `([\w -]+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_the_page_has_these_commands_and_no_other() -> None:
    assert SECTIONS.keys() == NAMED.keys()


@pytest.mark.parametrize("name", NAMED)
def test_the_page_has_the_commands_options_and_keys(name: str) -> None:
    wanted = [line for line in lines_of(NAMED[name]) if SUPPRESS not in line]
    lines = SECTIONS.get(name, "").splitlines()
    assert [line for line in wanted if line not in lines] == []
    assert len([line for line in lines if line.startswith("- `")]) == len(
        [line for line in wanted if line.startswith("- `")]
    )
