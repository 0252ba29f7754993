"""The secrets an installation makes once for itself and keeps in its data folder."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def random_text() -> str:
    """A secret that nobody can guess."""
    return secrets.token_urlsafe(48)


def kept_secret(path: Path, make: Callable[[], str] = random_text) -> str:
    """The secret in this file; made, readable by its owner alone, when there is none yet."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(make() + "\n")
    try:
        os.link(made, path)  # two processes that start together must agree: the first link wins
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return path.read_text().strip()
