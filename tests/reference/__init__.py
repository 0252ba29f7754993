"""Every SQL statement of the documents that ask for this system, word for word, a file each: those of the deployment
guide and those of the rollback procedures. What comes of each is tested in tests/queueops/test_reference_*.py."""

from pathlib import Path
from typing import Any

from django.db import connection

HERE = Path(__file__).parent
NAMES = sorted(f"{path.parent.name}/{path.stem}" for path in HERE.glob("*/*.sql"))


def text(name: str) -> str:
    """A statement as it stands in its document."""
    return (HERE / f"{name}.sql").read_text()


def run(name: str, *, argument: Any = None) -> list[tuple[Any, ...]]:
    """The rows that a statement answers; `argument` takes the place of its question mark."""
    with connection.cursor() as cursor:
        if argument is None:
            cursor.execute(text(name))
        else:
            cursor.execute(text(name).replace("?", "%s"), [argument])
        return cursor.fetchall() if cursor.description else []
