"""Imports go one way: config → queueops → embeddings → articles → lib, config → access → lib; in queueops by rank."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.paths import ROOT

MAY_IMPORT = {
    "lib": {"lib"},
    "articles": {"articles", "lib"},
    "embeddings": {"embeddings", "articles", "lib"},
    "queueops": {"queueops", "embeddings", "articles", "lib"},
    "access": {"access", "lib"},
    "config": {"config", "queueops", "embeddings", "articles", "access", "lib"},
}
# The rooms of queueops from the ground up; those of one rank do not know each other. apps.py and actors.py join all.
RANKS = [
    {"base"},
    {"models", "wakeups"},
    {"admission"},
    {"engine"},
    {"monitoring"},
    {"maintenance"},
    {"worker"},
    {"operate"},
    {"cli", "api", "admin", "templatetags"},
    {"management"},
]
RANK = {room: rank for rank, rooms in enumerate(RANKS) for room in rooms}
JOINING = {"queueops.apps", "queueops.actors"}


@cache
def modules() -> dict[str, Path]:
    """Every module of the product by its dotted name; Django's migrations and packages' names are not among them."""
    paths = [path for room in MAY_IMPORT for path in sorted((ROOT / room).rglob("*.py"))]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
        if "migrations" not in path.parts
    }


@cache
def imports_of(path: Path) -> set[str]:
    """Every absolute name a file imports, wherever in the file the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the direction"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules_imported_by(module: str) -> set[str]:
    """`from a import b` means the module a.b where there is one, else a."""
    known = modules()
    names = imports_of(known[module])
    return {name if name in known else name.rpartition(".")[0] for name in names} & known.keys() - {module}


def room_of(module: str) -> str:
    """The room of queueops that a module lies in; empty for the modules beside the rooms."""
    _, _, rest = module.partition(".")
    return rest.partition(".")[0] if module not in JOINING else ""


@pytest.mark.parametrize("app", MAY_IMPORT)
def test_an_app_imports_only_apps_below_it(app: str) -> None:
    for module, path in modules().items():
        if module.partition(".")[0] == app:
            apps = {name.partition(".")[0] for name in imports_of(path)}
            beyond = apps & (MAY_IMPORT.keys() | {"tests", "benchmarks", "drills"}) - MAY_IMPORT[app]
            assert not beyond, f"{module} imports {beyond}"


@pytest.mark.parametrize("room", RANK)
def test_a_room_of_the_queue_imports_only_rooms_below_it(room: str) -> None:
    inside = [module for module in modules() if module.startswith(f"queueops.{room}")]
    assert inside
    for module in inside:
        for name in modules_imported_by(module):
            if name.startswith("queueops.") and (other := room_of(name)) != room:
                assert RANK.get(other, len(RANKS)) < RANK[room], f"{module} imports {name}"


def test_every_folder_of_the_queue_has_a_rank() -> None:
    folders = {path.parent.name for path in (ROOT / "queueops").glob("*/__init__.py")}
    assert folders - {"migrations"} == RANK.keys()
    assert {path.stem for path in (ROOT / "queueops").glob("*.py")} == {"__init__", "apps", "actors"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: modules_imported_by(module) for module in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(reversed(error.args[1])))


LATE = {f"config.stack.{name}" for name in ("binaries", "postgres", "roles", "valkey")}
"""Modules that import drivers and settings where they need them: the supervisor that watches, and does not, is 15 MiB
smaller by it (config/stack/handover.py). The other rules here hold for these imports, too."""


def test_imports_stand_at_the_top_of_their_file() -> None:
    for module, path in modules().items():
        if module in LATE:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if path.name == "apps.py" and getattr(node, "name", "") == "ready":
                continue  # Django's own place for imports that need its registry
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                inner = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
                assert not inner, f"{module}: {node.name} hides an import"
