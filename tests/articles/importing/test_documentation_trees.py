"""Documentation trees of packages are imported whole. Fetched from their registries; skipped where that fails."""

import gzip
import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command

from articles.models import Article, Provenance

pytestmark = pytest.mark.slow


def run(folder: Path, *command: str) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"{command[0]} fetched nothing: {done.stderr[-200:]}")


def unpacked(folder: Path) -> Path:
    (archive,) = [path for path in folder.iterdir() if path.name.endswith(("gz", "tgz"))]
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "tree", filter="data")
    return folder / "tree"


def node_of_debian(folder: Path) -> Path:
    run(folder, "apt-get", "download", "nodejs-doc")
    (package,) = folder.glob("*.deb")
    run(folder, "dpkg-deb", "-x", str(package), "tree")
    for packed in (folder / "tree").rglob("*.md.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    return folder / "tree"


def npm(folder: Path) -> Path:
    run(folder, "npm", "pack", "npm@10.9.0")
    return unpacked(folder) / "package" / "docs" / "content"


def black_of_python(folder: Path) -> Path:
    run(
        folder,
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--no-binary",
        ":all:",
        "black==24.10.0",
    )
    return unpacked(folder) / "black-24.10.0" / "docs"


def imported(tree: Path) -> str:
    out = io.StringIO()
    call_command("import_articles", markdown=str(tree), source="tree", stdout=out, stderr=io.StringIO())
    return out.getvalue().partition(": ")[2].partition(" (")[0]


@pytest.mark.django_db
@pytest.mark.parametrize("fetch", [node_of_debian, npm, black_of_python])
def test_a_tree_is_imported_whole_and_stays_when_it_grows(
    tmp_path: Path, fetch: Callable[[Path], Path]
) -> None:
    tree = fetch(tmp_path)
    files = len(list(tree.rglob("*.md")))
    assert files > 20
    assert imported(tree) == f"{files} created, 0 updated, 0 unchanged, 0 refused"
    assert imported(tree) == f"0 created, 0 updated, {files} unchanged, 0 refused"
    texts = dict(Article.objects.values_list("slug", "content"))
    first = Provenance.objects.order_by("path").values_list("article__title", flat=True)[0]
    (tree / "00.md").write_text(f"# {first}\n")
    assert imported(tree) == f"1 created, 0 updated, {files} unchanged, 0 refused"
    assert texts.items() <= dict(Article.objects.values_list("slug", "content")).items()
