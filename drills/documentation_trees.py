"""Imports the documentation that five packages ship, among them a site of Hugo and one of Jekyll, fetched from their
registries: every file is taken, a second import changes nothing, and a file of an equal title added before the others
moves no text. Prints JSON."""

import argparse
import gzip
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management import call_command

from benchmarks.tools.report import print_progress
from benchmarks.tools.stack import Stack, own_stack

_SECONDS = 300
_LEAST_FILES = 20
_SUFFIXES = (".md", ".markdown")


def main(words: list[str] | None = None) -> int:
    """1 if a tree could not be fetched, or was imported otherwise than expected."""
    parser = argparse.ArgumentParser(prog="./dev drill documentation_trees", description=__doc__)
    parser.parse_args(words)
    with own_stack() as stack:
        found = {name: _tried(stack, fetch) for name, fetch in TREES.items()}
    print(json.dumps(found, indent=2))
    return 1 if any(each["wrong"] for each in found.values()) else 0


def _tried(stack: Stack, fetch: Callable[[Path], Path]) -> dict[str, Any]:
    stack.empty()
    with tempfile.TemporaryDirectory(prefix="vectorpress-tree-") as folder:
        try:
            tree = fetch(Path(folder))
        except (OSError, subprocess.SubprocessError, tarfile.TarError) as error:
            return {"files": 0, "wrong": [f"it could not be fetched: {error}"]}
        files = sum(path.suffix in _SUFFIXES for path in tree.rglob("*"))
        print_progress(f"{files} files")
        return {"files": files, "wrong": _wrong(stack, tree, files)}


def _wrong(stack: Stack, tree: Path, files: int) -> list[str]:
    wrong = [] if files > _LEAST_FILES else [f"only {files} files"]
    wrong += _expected(tree, f"{files} created, 0 updated, 0 unchanged, 0 refused")
    wrong += _expected(tree, f"0 created, 0 updated, {files} unchanged, 0 refused")
    texts = _texts(stack)
    title = stack.value(
        "SELECT a.title FROM article_provenance p JOIN articles a ON a.id = p.article_id ORDER BY p.path LIMIT 1"
    )
    (tree / "00.md").write_text(f"# {title}\n")
    wrong += _expected(tree, f"1 created, 0 updated, {files} unchanged, 0 refused")
    if not texts.items() <= _texts(stack).items():
        wrong.append("a text moved when a file was added")
    return wrong


def _expected(tree: Path, end: str) -> list[str]:
    out = io.StringIO()
    call_command("import_articles", markdown=str(tree), source="tree", stdout=out, stderr=io.StringIO())
    came = out.getvalue().partition(": ")[2].partition(" (")[0]
    return [] if came == end else [f"expected: {end}; came: {came}"]


def _texts(stack: Stack) -> dict[str, str]:
    return dict(stack.database.execute("SELECT slug, content FROM articles").fetchall())


def _node_of_debian(folder: Path) -> Path:
    _run(folder, "apt-get", "download", "nodejs-doc")
    (package,) = folder.glob("*.deb")
    _run(folder, "dpkg-deb", "-x", str(package), "tree")
    for packed in (folder / "tree").rglob("*.md.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    return folder / "tree"


def _of_npm(package: str, *below: str) -> Callable[[Path], Path]:
    """A tree that this package of npm ships below its root."""

    def fetch(folder: Path) -> Path:
        _run(folder, "npm", "pack", package)
        return _unpacked(folder).joinpath("package", *below)

    return fetch


def _black_of_python(folder: Path) -> Path:
    download = ("-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "black==24.10.0")
    _run(folder, sys.executable, *download)
    return _unpacked(folder) / "black-24.10.0" / "docs"


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, capture_output=True, timeout=_SECONDS, check=True)


def _unpacked(folder: Path) -> Path:
    (archive,) = [path for path in folder.iterdir() if path.name.endswith(("gz", "tgz"))]
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "tree", filter="data")
    return folder / "tree"


TREES = {
    "nodejs-doc": _node_of_debian,
    "npm": _of_npm("npm@10.9.0", "docs", "content"),
    "black": _black_of_python,
    "doks (Hugo)": _of_npm("@hyas/doks@0.5.0", "content"),
    "jekyll": _of_npm("jekyll@3.0.0-beta1", "site"),
}

if __name__ == "__main__":
    sys.exit(main())
