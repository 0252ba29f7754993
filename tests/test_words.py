"""Plain technical English: what people read holds none of the words that were retired, and none of the old patterns."""

import ast
import re
from pathlib import Path

import pytest

from tests.paths import ROOT

ROOMS = ("access", "articles", "config", "embeddings", "lib", "queueops")
# The decisions quote what was said before; the map quotes the reference documents.
QUOTING = {"reference-map.md"}
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *(
        path
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if "decisions" not in path.parts and path.name not in QUOTING
    ),
    *sorted((ROOT / "templates").rglob("*.html")),
]
RETIRED = re.compile(
    r"\b(?:tells?|told|deeds?|desk|heirs?|standstill|peril|anew|whoever)\b"
    r"|(?<!\bthere )\b(?:is|are) no (?!longer\b|more than\b)[a-z]+",
    re.IGNORECASE,
)
SQL = re.compile(r"\b(?:SELECT|INSERT|UPDATE|CASE|FROM|WHERE|jsonb)\b")


def sentences_of(path: Path) -> list[tuple[int, str]]:
    """The texts of a module that it may print: its strings, but for docstrings and SQL."""
    tree = ast.parse(path.read_text())
    silent = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in silent]
    return [
        (node.lineno, node.value)
        for node in strings
        if isinstance(node.value, str) and " " in node.value and not SQL.search(node.value)
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_that_a_program_prints_has_a_retired_word(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match[0]!r} in {text.strip()[:80]!r}"
        for path in sorted((ROOT / room).rglob("*.py"))
        if "migrations" not in path.parts
        for line, text in sentences_of(path)
        for match in RETIRED.finditer(text)
    ]
    assert not found, "\n".join(found)


PREFIX_OF_A_COMMAND = re.compile(r"manage\.py [a-z{]|\./dev [a-z{]")


@pytest.mark.parametrize("room", ROOMS)
def test_a_printed_command_begins_as_it_is_typed_where_it_is_read(room: str) -> None:
    """`lib.manage_command.manage` writes it; a text of its own would be wrong in a checkout or in a container."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text.strip()[:80]!r}"
        for path in sorted((ROOT / room).rglob("*.py"))
        if "migrations" not in path.parts
        for line, text in sentences_of(path)
        if PREFIX_OF_A_COMMAND.search(text) or text.endswith("manage.py ")
    ]
    assert not found, "\n".join(found)


def test_no_page_of_the_site_shows_a_command_with_the_prefix_of_a_checkout() -> None:
    for page in (ROOT / "templates").rglob("*.html"):
        assert not PREFIX_OF_A_COMMAND.search(page.read_text()), page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_has_a_retired_word(page: Path) -> None:
    lines = page.read_text().splitlines()
    found = [f"{n}: {match[0]}" for n, line in enumerate(lines, 1) for match in RETIRED.finditer(line)]
    assert not found, found


@pytest.mark.parametrize(
    "text", ["x is no number", "Nobody is told", "it tells", "begun anew", "All are no jobs"]
)
def test_a_retired_word_is_seen(text: str) -> None:
    assert RETIRED.search(text)


@pytest.mark.parametrize("text", ["it is no longer there", "there is no such task", "retold", "an annexe"])
def test_a_word_that_only_looks_like_one_is_not(text: str) -> None:
    assert not RETIRED.search(text)
