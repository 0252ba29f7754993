"""Files and functions stay short enough to be read at once."""

import ast
from pathlib import Path

import pytest

from tests.paths import ROOT

FUNCTION_LINES = 40
FILE_LINES = 300
TEST_FILE_LINES = 600  # a test's file has the cases of one module side by side
ROOMS = ("access", "articles", "config", "embeddings", "lib", "queueops", "benchmarks", "drills", "tests")


def files() -> list[Path]:
    """Every Python file of the project; a migration is written once and not read again."""
    paths = [
        path
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if "migrations" not in path.parts
    ]
    return [ROOT / "dev", ROOT / "manage.py", *paths]


def functions_over(source: str, limit: int) -> list[tuple[str, int]]:
    """Name and length of the functions with more lines than that, from `def` to the last line."""
    functions = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    lengths = [(node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in functions]
    return [(name, length) for name, length in lengths if length > limit]


def test_no_file_is_over_its_limit() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}: {lines} lines, at most {limit}"
        for path in files()
        if (lines := path.read_text().count("\n"))
        > (limit := TEST_FILE_LINES if path.name.startswith("test_") else FILE_LINES)
    ]
    assert not too_long, "Split by subject:\n" + "\n".join(too_long)


def test_no_function_is_over_forty_lines() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}: {name} has {length} lines"
        for path in files()
        for name, length in functions_over(path.read_text(), FUNCTION_LINES)
    ]
    assert not too_long, "Take parts out under names of their own:\n" + "\n".join(too_long)


@pytest.mark.parametrize(("lines", "found"), [(39, []), (40, [("long", 41)])])
def test_a_function_is_counted_with_its_first_line(lines: int, found: list[tuple[str, int]]) -> None:
    body = "    x = 1\n" * lines
    assert functions_over(f"@decorated\ndef long():\n{body}", FUNCTION_LINES) == found
