"""./dev: what it finds, what it says when it finds nothing."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from tests.paths import ROOT

DEV = ROOT / "dev"

pytestmark = pytest.mark.process


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The script as a module, on a machine that has no Python but those a test puts into `tmp_path`."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("dev", str(DEV))
    spec = spec_from_loader("dev", loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    return module


def program(path: Path, script: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def python(path: Path, version: str, pip: bool = True) -> str:
    """A program that answers like a Python of this version ("3 12")."""
    return program(path, f"echo {version} {int(pip)} {path}")


def test_the_newest_python_that_fits_is_taken(dev: ModuleType, tmp_path: Path) -> None:
    python(tmp_path / "python3.12", "3 12")
    python(tmp_path / "python3", "3 15")
    best = python(tmp_path / ".pyenv/versions/3.14.1/bin/python", "3 14")
    assert dev.find_python() == (best, (3, 14))


def test_a_python_with_pip_is_taken_before_a_newer_one_without(dev: ModuleType, tmp_path: Path) -> None:
    python(tmp_path / "python3.14", "3 14", pip=False)
    best = python(tmp_path / "python3.12", "3 12")
    assert dev.find_python() == (best, (3, 12))


def test_a_shim_that_does_not_run_is_passed_over(dev: ModuleType, tmp_path: Path) -> None:
    program(tmp_path / "python3.14", "echo 'command not found' >&2; exit 127")
    best = python(tmp_path / "python3.13", "3 13")
    assert dev.find_python() == (best, (3, 13))


def test_a_machine_with_old_pythons_is_told_which_and_what_is_needed(dev: ModuleType, tmp_path: Path) -> None:
    python(tmp_path / "python3", "3 11")
    python(tmp_path / "python", "3 8")
    with pytest.raises(dev.Failure) as failure:
        dev.find_python()
    assert str(failure.value) == (
        "Vectorpress needs Python 3.12 to 3.14, this machine has 3.11, 3.8: install one and run this again."
    )


def test_a_machine_without_any_python_is_told_so(dev: ModuleType) -> None:
    with pytest.raises(dev.Failure, match="has none that runs: install one"):
        dev.find_python()


def test_a_python_that_cannot_make_environments_names_the_missing_package(
    dev: ModuleType, tmp_path: Path
) -> None:
    python(tmp_path / "python3", "3 13", pip=False)
    with pytest.raises(dev.Failure, match=r"python3\.13-venv"):
        dev.find_python()


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(DEV), *words], capture_output=True, text=True, check=False, env=dict(os.environ)
    )


@pytest.mark.parametrize(("words", "code"), [([], 0), (["help"], 0), (["--help"], 0), (["dance"], 2)])
def test_help_names_every_verb(words: list[str], code: int) -> None:
    answer = run(*words)
    assert answer.returncode == code
    for verb in ("up", "test", "lint", "format", "manage", "bench", "drill", "audit", "soak"):
        assert f"./dev {verb}" in answer.stdout


@pytest.fixture
def commands_run(dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What `dev` has run by now, on a .venv that is complete and whose programs end well but for one."""
    log = tmp_path / "commands_run"
    script = (
        f'[ "$1" = -c ] && echo 3 13 1 x && exit\nshift\necho "$@" >> {log}\n[ "$1 $FAILS" != "mypy mypy" ]'
    )
    monkeypatch.setattr(dev, "PYTHON", program(tmp_path / "python", script))
    monkeypatch.setattr(dev, "STAMP", str(tmp_path / "installed.json"))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    (tmp_path / "installed.json").write_text(f'{{"python": "3.13", "dev": "{dev.digest("dev")}"}}')
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.chdir(DEV.parent)
    return lambda: log.read_text().splitlines()


LINT = ["ruff check .", "ruff format --check .", "mypy"]
THIS_FILE = "tests/config/test_dev.py"


@pytest.mark.parametrize(
    ("words", "ran"),
    [
        ([], [*LINT, "pytest -n 3 -m not slow"]),
        (["--fast"], ["pytest -n 2 -m fast"]),
        (["--all"], [*LINT, "pytest -n 3"]),
        (["-x"], [*LINT, "pytest -m not slow -x"]),
        (["--all", "-n", "3"], [*LINT, "pytest -n 3"]),
        (["--fast", THIS_FILE], [f"pytest -m fast {THIS_FILE}"]),
        ([f"{THIS_FILE}::test_a"], [*LINT, f"pytest {THIS_FILE}::test_a"]),
        (["-k", "lease"], [*LINT, "pytest -k lease"]),
        (["-m", "slow"], [*LINT, "pytest -m slow"]),
    ],
)
def test_a_word_says_which_tests_run_and_all_others_go_to_pytest(
    dev: ModuleType, commands_run: Callable[[], list[str]], words: list[str], ran: list[str]
) -> None:
    assert dev.test(words) == 0
    assert commands_run() == ran


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            [],
            "dev: left out: slow tests (whole stacks, kills, drills, benchmarks); ./dev test --all runs everything\n",
        ),
        (
            ["--fast"],
            "dev: left out: lint, types and tests that need a database or a process or are slow; "
            "./dev test --all runs everything\n",
        ),
        (["--all"], ""),
        ([THIS_FILE], ""),
    ],
)
def test_the_last_line_names_the_tests_left_out(
    dev: ModuleType,
    commands_run: Callable[[], list[str]],
    capfd: pytest.CaptureFixture[str],
    words: list[str],
    line: str,
) -> None:
    dev.test(words)
    assert capfd.readouterr().err == line


def test_a_failure_of_lint_fails_the_whole_and_the_tests_run_all_the_same(
    dev: ModuleType, commands_run: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS", "mypy")
    assert dev.test(["--all"]) == 1
    assert commands_run() == [*LINT, "pytest -n 3"]


def test_files_are_compiled_once_whatever_the_shell_says(
    dev: ModuleType, commands_run: Callable[[], list[str]]
) -> None:
    dev.test(["--fast"])
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ


def test_what_every_change_must_pass_leaves_nothing_out() -> None:
    assert 'exec ./dev test --all "$@"' in (DEV.parent / ".ci" / "run").read_text()


@pytest.mark.parametrize(
    ("typed", "prefix"),
    [
        ("./dev", "./dev manage"),
        ("/srv/vector press/dev", "'/srv/vector press/dev' manage"),
        ("dev", "./dev manage"),
    ],
)
def test_hints_name_commands_as_dev_was_typed(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, typed: str, prefix: str
) -> None:
    monkeypatch.setattr(dev, "install", lambda kind: None)
    monkeypatch.setattr(dev, "become", lambda *words: 0)
    monkeypatch.setattr(sys, "argv", [typed, "manage", "check"])
    monkeypatch.setenv("MANAGE_COMMAND", "set first, so that it is restored")
    monkeypatch.delenv("MANAGE_COMMAND")
    dev.main(["manage", "check"])
    assert os.environ["MANAGE_COMMAND"] == prefix


def test_a_command_prefix_of_the_environment_stays(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "install", lambda kind: None)
    monkeypatch.setattr(dev, "become", lambda *words: 0)
    monkeypatch.setenv("MANAGE_COMMAND", "kubectl exec deploy/web -- python manage.py")
    dev.main(["manage", "check"])
    assert os.environ["MANAGE_COMMAND"] == "kubectl exec deploy/web -- python manage.py"
