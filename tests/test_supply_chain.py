"""What is installed is what was locked, and what runs is listed."""

import re
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.config.test_dev import dev, program
from tests.paths import ROOT

pytestmark = pytest.mark.process

__all__ = ["dev"]  # the fixture

LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PYTHON = sys.executable  # before the fixture hides it
WHEEL = "changed_under_its_name-1.0-py3-none-any.whl"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_each_package_is_pinned_by_version_and_hash(lock: Path) -> None:
    entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", lock.read_text(), flags=re.MULTILINE).strip())
    assert len(entries) > 20
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+(\[[a-z,]+\])?==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_a_package_that_changed_under_its_name_is_refused(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as wheel:
        wheel.writestr("changed_under_its_name.py", "")
    lock = tmp_path / "run.lock"
    lock.write_text("changed-under-its-name==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    monkeypatch.setattr(dev, "PYTHON", PYTHON)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(dev.Failure, match="could not be installed"):
        dev.install_lock(str(lock))
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "asked", "code"),
    [
        ([], ["cyclonedx_py", "pip_audit", "pip_audit"], 1),
        (["--offline"], ["cyclonedx_py"], 0),
    ],
)
def test_an_audit_fails_where_a_look_up_fails(
    dev: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    asked: list[str],
    code: int,
) -> None:
    log = tmp_path / "asked"
    python = program(
        tmp_path / "python",
        f'[ "$1" = -c ] && echo 3 13 1 x && exit\necho "$2" >> {log}\n[ "$2" != pip_audit ]',
    )
    monkeypatch.setattr(dev, "PYTHON", python)
    monkeypatch.setattr(dev, "STAMP", str(tmp_path / "installed.json"))
    (tmp_path / "installed.json").write_text(f'{{"python": "3.13", "audit": "{dev.digest("audit")}"}}')
    monkeypatch.chdir(tmp_path)
    assert dev.audit(arguments) == code
    assert log.read_text().split() == asked
