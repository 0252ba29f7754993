"""The secrets an installation makes once for itself and keeps in its data folder."""

import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from lib.regular_files import read_small

_MOST_BYTES = 4_096


def random_text() -> str:
    """A secret that nobody can guess."""
    return secrets.token_urlsafe(48)


def kept_secret(path: Path, make: Callable[[], str] = random_text) -> str:
    """The secret in this file; made, readable by its owner alone, when there is none yet."""
    if found := _read(path):
        return found
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")  # of mode 0600
    made = Path(name)
    with os.fdopen(handle, "w") as file:
        file.write(make() + "\n")
    try:
        os.link(made, path)  # two processes that start together must agree: the first link wins
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return _read(path) or ""


def _read(path: Path) -> str | None:
    """The secret, None where there is no such file. A link to it is fine, as orchestrators mount secrets; a FIFO or an
    endless file stops the start with a sentence, instead of hanging it."""
    try:
        return read_small(path, _MOST_BYTES).decode().strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise ImproperlyConfigured(
            f"{path} cannot be read: {reason}. It must be a file with a secret on one line; remove it, and a new one "
            "is made."
        ) from error
