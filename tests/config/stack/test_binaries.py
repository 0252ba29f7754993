"""Programs are found by a setting, by wheels, or on the machine."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.stack.binaries import postgres_bin_dir, valkey_server
from config.stack.processes import StackError

pytestmark = pytest.mark.process


def program(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with nothing installed and nothing set."""
    for name in ("POSTGRES_BIN_DIR", "VALKEY_SERVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    return monkeypatch


@pytest.mark.parametrize(
    ("find", "settings"),
    [
        (postgres_bin_dir, ("DATABASE_URL", "POSTGRES_BIN_DIR")),
        (valkey_server, ("REDIS_URL", "VALKEY_SERVER")),
    ],
)
@pytest.mark.usefixtures("bare")
def test_where_nothing_is_found_both_ways_out_are_named(
    find: Callable[..., Any], settings: tuple[str, str]
) -> None:
    with pytest.raises(StackError) as missing:
        find()
    assert all(name in str(missing.value) for name in settings)


def test_a_setting_comes_first(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path / "postgres")
    program(tmp_path / "own-valkey")
    bare.setenv("POSTGRES_BIN_DIR", str(tmp_path))
    bare.setenv("VALKEY_SERVER", str(tmp_path / "own-valkey"))
    assert postgres_bin_dir() == tmp_path
    assert valkey_server() == tmp_path / "own-valkey"


def test_a_setting_that_leads_nowhere_is_an_error_and_no_other_is_taken(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare.undo()  # what this machine has
    bare.setenv("POSTGRES_BIN_DIR", str(tmp_path))
    bare.setenv("VALKEY_SERVER", str(tmp_path / "valkey"))
    with pytest.raises(StackError, match="POSTGRES_BIN_DIR"):
        postgres_bin_dir()
    with pytest.raises(StackError, match="VALKEY_SERVER"):
        valkey_server()


def test_pg_config_says_where_postgres_is(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path / "bin" / "postgres")
    pg_config = program(tmp_path / "pg_config", f"#!/bin/sh\necho {tmp_path}/bin\n")
    bare.setattr(shutil, "which", lambda name: str(pg_config) if name == "pg_config" else None)
    assert postgres_bin_dir() == tmp_path / "bin"


def test_a_pg_config_without_a_server_is_passed_over(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pg_config = program(tmp_path / "pg_config", f"#!/bin/sh\necho {tmp_path}/bin\n")
    bare.setattr(shutil, "which", lambda name: str(pg_config))
    with pytest.raises(StackError):
        postgres_bin_dir()


@pytest.mark.parametrize("installed", ["valkey-server", "redis-server"])
def test_an_installed_server_is_taken_last(bare: pytest.MonkeyPatch, installed: str) -> None:
    bare.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name == installed else None)
    assert valkey_server() == Path("/usr/bin", installed)
