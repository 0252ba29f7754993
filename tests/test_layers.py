"""The rooms import in one direction: config → queueops → embeddings → articles → lib, and config → access → lib."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "lib": {"lib"},
    "articles": {"articles", "lib"},
    "embeddings": {"embeddings", "articles", "lib"},
    "queueops": {"queueops", "embeddings", "articles", "lib"},
    "access": {"access", "lib"},
    "config": {"config", "queueops", "embeddings", "articles", "access", "lib"},
}
# Inside queueops: models ← claims and execution ← actors; models announce, they do not dispatch.
MODULES_MAY_NOT_IMPORT = {
    "queueops/models/": {
        "queueops.engine.enqueue",
        "queueops.engine.claims",
        "queueops.engine.execution",
        "queueops.actors",
        "queueops.wakeups.doorbell",
    },
    "queueops/engine/claims.py": {
        "queueops.engine.execution",
        "queueops.actors",
        "queueops.wakeups.doorbell",
    },
    "queueops/engine/execution.py": {"queueops.actors", "queueops.wakeups.doorbell"},
}


def imports_of(path: Path) -> set[str]:
    """Every absolute module name a file imports, wherever in the file the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the direction"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def sources(room: str) -> list[Path]:
    return [p for p in sorted((ROOT / room).rglob("*.py")) if "migrations" not in p.parts]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_rooms_below_it(room):
    for path in sources(room):
        rooms = {name.split(".")[0] for name in imports_of(path)} & (
            MAY_IMPORT.keys() | {"tests", "benchmarks"}
        )
        assert rooms <= MAY_IMPORT[room], f"{path.relative_to(ROOT)} imports {rooms - MAY_IMPORT[room]}"


@pytest.mark.parametrize("prefix", MODULES_MAY_NOT_IMPORT)
def test_inside_queueops_nothing_points_back(prefix):
    paths = [p for p in sources("queueops") if str(p.relative_to(ROOT)).startswith(prefix)]
    assert paths
    for path in paths:
        assert not imports_of(path) & MODULES_MAY_NOT_IMPORT[prefix], path


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_stand_at_the_top_of_their_file(room):
    for path in sources(room):
        for node in ast.walk(ast.parse(path.read_text())):
            if path.name == "apps.py" and getattr(node, "name", "") == "ready":
                continue  # Django's own place for imports that need its registry
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                inner = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
                assert not inner, f"{path.relative_to(ROOT)}: {node.name} hides an import"
