"""Every module with logic has a test at the same place: lib/durations.py is tested in tests/lib/test_durations.py."""

import ast
from pathlib import Path

import pytest

from tests.paths import ROOT

ROOMS = ("access", "articles", "config", "embeddings", "lib", "queueops")
BRANCHES = ast.If | ast.IfExp | ast.For | ast.While | ast.Try | ast.BoolOp | ast.Match | ast.comprehension
FEW_STATEMENTS = 4
# Modules without a test of their own, each with the reason.
EXEMPT = {
    "access/apps.py": "connects signals when Django starts, before any test",
    "config/apps.py": "names the admin's site and connects signals when Django starts, before any test",
    "queueops/apps.py": "connects signals when Django starts, before any test",
}


def has_logic(source: str) -> bool:
    """Whether a function decides or repeats something, or the functions have more than a few statements."""
    functions = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    inside = [node for function in functions for node in ast.walk(function)]
    statements = [
        node
        for node in inside
        if isinstance(node, ast.stmt)
        and not isinstance(node, ast.FunctionDef)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))  # a docstring, or `...`
    ]
    return any(isinstance(node, BRANCHES) for node in inside) or len(statements) >= FEW_STATEMENTS


def modules() -> list[str]:
    """The product's modules with logic, as paths below the checkout; migrations are tested as a whole."""
    paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return [
        str(path.relative_to(ROOT))
        for path in paths
        if "migrations" not in path.parts and has_logic(path.read_text())
    ]


def mirrored(module: str) -> Path:
    """The test of a module; that of a package's `__init__.py` lies beside the package's folder."""
    path = Path(module)
    if path.name == "__init__.py":
        path = path.parent.with_suffix(".py")
    return Path("tests", path.parent, f"test_{path.name}")


def test_every_module_with_logic_has_its_test() -> None:
    missing = [
        f"{module}: {mirrored(module)}"
        for module in modules()
        if module not in EXEMPT and not (ROOT / mirrored(module)).is_file()
    ]
    assert not missing, "These modules have no test of their own:\n" + "\n".join(missing)


def test_an_exemption_is_for_a_module_that_has_no_test() -> None:
    assert set(EXEMPT) <= set(modules())
    assert not [module for module in EXEMPT if (ROOT / mirrored(module)).exists()]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("", False),
        ("LIMIT = 3 if True else 4\n", False),
        ("def f():\n    return 1\n", False),
        ("class A:\n    x: int\n\n    def f(self): ...\n", False),
        ("def f():\n    'what it is'\n    ...\ndef g():\n    'and this'\n    ...\n", False),
        ("def f(a):\n    return a or 1\n", True),
        ("def f(a):\n    return [each for each in a]\n", True),
        ("class A:\n    def f(self, a):\n        if a:\n            return 1\n", True),
        ("def f(a):\n    a()\n    a()\n    a()\n    a()\n", True),
        ("def f(a):\n    a()\n    a()\n    a()\n", False),
    ],
)
def test_logic_is_a_decision_a_repetition_or_several_statements(source: str, found: bool) -> None:
    assert has_logic(source) is found


@pytest.mark.parametrize(
    ("module", "test"),
    [
        ("lib/durations.py", "tests/lib/test_durations.py"),
        ("queueops/cli/verbs/bulk.py", "tests/queueops/cli/verbs/test_bulk.py"),
        ("queueops/cli/verbs/backfill/__init__.py", "tests/queueops/cli/verbs/test_backfill.py"),
    ],
)
def test_a_test_lies_where_its_module_does(module: str, test: str) -> None:
    assert mirrored(module) == Path(test)
