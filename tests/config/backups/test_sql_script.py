"""What pg_restore writes of an archive: rows are told from statements, and nothing unexpected is run."""

import io
from typing import Any

import pytest

from config.backups import sql_script
from config.backups.errors import BackupError
from config.backups.sql_script import Encoding, Sequence, Table

HEAD = rb"""--
-- PostgreSQL database dump
--

\restrict Abc123

-- Dumped from database version 18.6

SET statement_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
SET xmloption = content;

"""
ROWS = (
    HEAD
    + rb"""COPY public.articles (id, title, "order", "a""b") FROM stdin;
1	COPY public.other (id) FROM stdin;
2	\\.	\\restrict x
\.


COPY public."Odd" (id) FROM stdin;
\.


COPY public.empty  FROM stdin;


\.


SELECT pg_catalog.setval('public.articles_id_seq', 3, true);


\unrestrict Abc123

"""
)


def read(text: bytes) -> list[Any]:
    """The parts, each table with its rows."""
    return [
        (part, [*part.rows]) if isinstance(part, Table) else part
        for part in sql_script.parts(io.BytesIO(text))
    ]


def test_rows_are_distinguished_from_the_script_around_them() -> None:
    assert sql_script.count(io.BytesIO(ROWS), "public") == {"articles": 2, "Odd": 0, "empty": 2}
    assert not sql_script.count(io.BytesIO(ROWS), "other")


def test_tables_and_sequences_are_read_with_their_names() -> None:
    encoding, (articles, rows), (odd, _), (empty, _), sequence = read(ROWS)
    assert encoding == Encoding("UTF8")
    assert articles[:3] == ("public", "articles", ["id", "title", "order", 'a"b'])
    assert b"".join(block.data for block in rows) == (
        b"1\tCOPY public.other (id) FROM stdin;\n2\t\\\\.\t\\\\restrict x\n"
    )
    assert (odd[:3], empty[:3]) == (("public", "Odd", ["id"]), ("public", "empty", []))
    assert sequence == Sequence("public", "articles_id_seq", 3, True)


def test_rows_that_were_not_taken_are_passed_over() -> None:
    names = [part.name for part in sql_script.parts(io.BytesIO(ROWS)) if not isinstance(part, Encoding)]
    assert names == ["articles", "Odd", "empty", "articles_id_seq"]


@pytest.mark.parametrize("size", [10, sql_script._BLOCK - 2, sql_script._BLOCK, 3 * sql_script._BLOCK + 1])
def test_a_row_of_any_size_is_one_row_in_bounded_blocks(size: int) -> None:
    text = b"COPY public.t (a) FROM stdin;\n" + b"x" * size + b"\n" + b"y\n\\.\n"
    (_, rows), *none = read(text)
    assert not none
    assert b"".join(block.data for block in rows) == b"x" * size + b"\ny\n"
    assert sum(block.number for block in rows) == 2
    assert max(len(block.data) for block in rows) < 2 * sql_script._BLOCK


@pytest.mark.parametrize(
    "line",
    [
        b"\\! touch canary\n",
        b"\\copy articles from program 'touch canary'\n",
        b"DROP TABLE articles;\n",
        b"BEGIN;\n",
        b"COMMIT;\n",
        b"SET client_encoding = 'UTF8'; DROP TABLE articles;\n",
        b"SET search_path = a; DROP TABLE articles;\n",
        b"COPY public.articles (id) FROM stdin; COMMIT;\n",
        b"COPY public.articles (id) FROM stdin; COMMIT; COPY public.articles (id) FROM stdin;\n",
        b"COPY public.articles (id) FROM PROGRAM 'touch canary';\n",
        b"COPY public.articles ((SELECT 1)) FROM stdin;\n",
        b"COPY articles FROM stdin;\n",
        b'COPY public."articles (id) FROM stdin;\n',
        b"SELECT pg_catalog.setval('public.a', 1, true); DROP TABLE articles;\n",
        b"SELECT pg_catalog.setval('public.a'||'', 1, true);\n",
        b"SELECT pg_catalog.lo_open('16', 131072);\n",
        b"$$\n",
        b"SELECT 1",
        b"x" * 2_000_000,
        b'COPY public."\xff" (id) FROM stdin;\n',
    ],
)
def test_anything_else_among_the_rows_is_refused(line: bytes) -> None:
    with pytest.raises(BackupError, match=r"^the archive has .*; expected ") as refused:
        read(HEAD + line)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("rest", [b"", b"1\n", b"1", b"\\."])
def test_an_archive_that_ends_among_rows_is_refused(rest: bytes) -> None:
    with pytest.raises(BackupError, match="ends in the middle of a table's rows"):
        read(b"COPY public.t (a) FROM stdin;\n" + rest)


def test_statements_lose_the_commands_of_psql_and_nothing_else() -> None:
    body = b"CREATE FUNCTION f() AS $$\n\\restrict other\n\\unrestrict other\nSET transaction_timeout = 0;\n$$;\n"
    text = HEAD + body + b"\\unrestrict Abc123\n\n"
    clean = HEAD.replace(b"\\restrict Abc123\n", b"") + body + b"\n"
    assert sql_script.statements(io.BytesIO(text), without_17=False) == ("UTF8", clean)
    older = clean.replace(b"SET transaction_timeout = 0;\n", b"", 1)
    assert sql_script.statements(io.BytesIO(text), without_17=True) == ("UTF8", older)
    assert sql_script.statements(io.BytesIO(body), without_17=False) == (
        "UTF8",
        body,
    )  # Postgres before 2025-08


def test_statements_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_script, "_MAX_STATEMENTS", 10)
    with pytest.raises(BackupError, match="more than 10 bytes of statements"):
        sql_script.statements(io.BytesIO(b"SELECT 1;\n-"), without_17=False)
