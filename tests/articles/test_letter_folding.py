"""Queries and texts are folded alike: here and in the database."""

import unicodedata

import pytest
from django.db import connection

from articles.letter_folding import fold


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("plain", "plain"),
        ("Café CAFÉ cafe\u0301", "Cafe CAFE cafe"),
        ("Straße œuvre Łódź Ærø", "Strasse oeuvre Lodz AEro"),
        ("İstanbul ılık", "Istanbul ilik"),
        ("ﬁle Ａ１ ｶﾞ", "file A1 ガ"),
        ("“quoted” — text…", " quoted  text "),
        ("がぎ한국어", "がぎ한국어"),
        ("Ελλάς", "Ελλασ"),
    ],
)
def test_letters_are_compared_without_what_typists_leave_out(text: str, folded: str) -> None:
    assert " ".join(fold(text).split()) == " ".join(folded.split())


@pytest.mark.django_db
def test_the_database_folds_each_character_as_queries_are_folded() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT chr(code), articles_words('x' || chr(code)) FROM generate_series(128, 65532) code"
            " WHERE code NOT BETWEEN 55296 AND 57343"
        )
        rows = cursor.fetchall()
    assert len(rows) > 60_000
    # which characters, not how often: the database reads some in pairs
    different = [c for c, words in rows if {*words, " "} != {*fold("x" + c), " "}]
    assert [f"{ord(character):04x}" for character in different if _is_assigned_everywhere(character)] == []


def _is_assigned_everywhere(character: str) -> bool:
    """Postgres and Python may know different versions of Unicode: only what is old is compared."""
    return unicodedata.ucd_3_2_0.category(character) != "Cn"
