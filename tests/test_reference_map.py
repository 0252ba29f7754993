"""docs/reference-map.md has a row for everything in the documents that ask for this system, and each row is true."""

import html
import re
import shlex
from typing import NamedTuple

import pytest
from django.core.management import get_commands
from django.urls import resolve

from tests import reference
from tests.paths import ROOT
from tests.test_docs import SETTINGS
from tests.test_runbooks import parse

PAGE = (ROOT / "docs/reference-map.md").read_text()
_CODE = re.compile(r"`([^`]+)`|<code>(.*?)</code>")
_STANDS_FOR = {"FILE": "a-file", "SLUG": "a", "WHY": "why"}


class Row(NamedTuple):
    """A row's cells, as they are written."""

    asked: str
    here: str
    proof: str


def code(cell: str) -> list[str]:
    """What stands in a cell as code."""
    return [html.unescape(plain or marked) for plain, marked in _CODE.findall(cell)]


def words_of(command: str) -> list[str]:
    return [_STANDS_FOR.get(word, word) for word in shlex.split(command)]


LINES = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
ROWS = [Row(*cells) for cells in LINES if cells[-1] != "proof" and not cells[0].startswith("---")]
ASKED = {each for row in ROWS for each in code(row.asked)}
COMMANDS = (reference.HERE / "commands.txt").read_text().splitlines()
SCENARIOS = (reference.HERE / "scenarios.txt").read_text().splitlines()
SAID = sorted({each for row in ROWS for each in code(row.here)})
PROOFS = sorted({each for row in ROWS for each in code(row.proof)})


def test_every_command_and_setting_of_the_documents_has_a_row() -> None:
    assert [line for line in COMMANDS if line not in ASKED] == []


def test_every_statement_of_the_documents_has_a_row() -> None:
    assert [name for name in reference.NAMES if name not in ASKED] == []


def test_every_scenario_and_line_of_a_checklist_has_a_row() -> None:
    plain = {part.strip(", ") for row in ROWS for part in _CODE.sub("", row.asked).split(", ")}
    assert [line for line in SCENARIOS if line not in plain] == []


def test_no_row_is_about_what_the_documents_do_not_say() -> None:
    assert ASKED - set(COMMANDS) - set(reference.NAMES) == set()


@pytest.mark.parametrize("command", [said for said in SAID if said.startswith("./dev ")])
def test_every_command_named_is_one_that_there_is(command: str) -> None:
    _, verb, *rest = words_of(command)
    assert re.search(rf"^    \./dev {verb}\b", (ROOT / "dev").read_text(), re.MULTILINE)
    if verb == "manage":
        assert rest[0] in get_commands()
        parse(rest[0], rest[1:])


def test_every_address_named_is_one_that_there_is() -> None:
    named = [said.split()[1] for said in SAID if re.match(r"(GET|POST) /", said)]
    assert named
    for address in named:
        assert "unknown_path" not in repr(resolve(address)), address


def test_every_setting_named_is_one_that_there_is() -> None:
    named = {said.partition("=")[0] for said in SAID if re.fullmatch(r"[A-Z_]{4,}(=\w+)?", said)}
    known = set(SETTINGS.findall((ROOT / "config/settings.py").read_text()))
    assert named - _STANDS_FOR.keys() <= known


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.asked[:60])
def test_a_row_has_its_proof_or_says_that_nothing_is_built(row: Row) -> None:
    assert code(row.proof) or "**not built**" in row.here or row.here == "the same"


@pytest.mark.parametrize("proof", PROOFS)
def test_every_test_named_is_one_that_there_is(proof: str) -> None:
    path, name = proof.split("::")
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE)
