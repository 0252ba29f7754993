"""Makes the database refuse vectors, as a full disk, a lost privilege or somebody's trigger does."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

_REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE 'No space left on device' USING ERRCODE = TG_ARGV[0]; END $$;
CREATE TRIGGER refuse BEFORE {writes} ON {table}
    FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse('{sqlstate}');
"""
_TAKE_AGAIN = "DROP FUNCTION IF EXISTS refuse CASCADE"


def refuse(
    sqlstate: str = "53100",
    condition: str = "true",
    table: str = "article_embeddings",
    writes: str = "INSERT",
) -> None:
    """From now on rows for which the condition holds are refused with this SQLSTATE."""
    with connection.cursor() as cursor:
        cursor.execute(_REFUSE.format(table=table, condition=condition, sqlstate=sqlstate, writes=writes))


def take_again() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_AGAIN)


@contextmanager
def refusing(
    sqlstate: str = "53100",
    condition: str = "true",
    table: str = "article_embeddings",
    writes: str = "INSERT",
) -> Iterator[None]:
    """The table refuses such rows while this lasts."""
    refuse(sqlstate, condition, table, writes)
    try:
        yield
    finally:
        take_again()


@contextmanager
def read_only() -> Iterator[None]:
    """This thread's session may only read inside the block."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET default_transaction_read_only")
