"""What the database keeps for keyword search: whole words and their parts, letters however they are typed."""

import time

import pytest
from django.db import connection

from articles.models import Article
from articles.text_search import parse
from tests.queueops.factories import make_article

pytestmark = pytest.mark.django_db

TEXT = """The TCP/IP stack and client/server design. See /etc/nginx/nginx.conf and manage.py, node.js 22.
Write to user@example.com about part AB-1234/7 or DS-7604NI-E1/4P/A. Call read_text of ZipFile, or HTTPServer.
Die Straße nach Łódź; le café de l'œuvre; “quoted” words… an e-mail <title>markup</title>"""
JAPANESE = "東京都庁は新宿区にあります。展望室からの眺めは素晴らしい。Python入門の本もある。猫。"


def finds(query: str) -> bool:
    asked = parse(query).all_words
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM articles WHERE keywords @@ to_tsquery('english', %s)", [asked])
        return bool(cursor.fetchone() == (1,))


@pytest.mark.parametrize(
    "query",
    [
        *(
            "tcp",
            "ip",
            "TCP/IP",
            "tcp ip",
            "client",
            "server",
            "client/server",
            "nginx",
            "nginx.conf",
            "/etc/nginx",
        ),
        *(
            "manage",
            "manage.py",
            "node",
            "node.js",
            "nodejs",
            "user@example.com",
            "example.com",
            "AB-1234/7",
            "1234",
        ),
        *("DS-7604NI", "7604NI-E1", "read_text", "readtext", "zip", "file", "zipfile", "ZipFile", "zip file"),
        *(
            "http server",
            "email",
            "e-mail",
            "strasse",
            "Straße",
            "STRASSE",
            "lodz",
            "cafe",
            "café",
            "cafe\u0301",
        ),
        *("oeuvre", "œuvre", "quoted", "words", "title", "markup", '"client server design"', "server/design"),
    ],
)
def test_a_word_is_found_whole_in_parts_and_without_its_accents(query: str) -> None:
    make_article("Letters", TEXT)
    assert finds(query)


@pytest.mark.parametrize(
    "query", ["ip tcp stack/design", "conf.nginx", '"design server"', "file_zip", "nginx/py"]
)
def test_parts_that_are_not_adjacent_are_not_a_joined_word(query: str) -> None:
    make_article("Letters", TEXT)
    assert not finds(query)


@pytest.mark.parametrize(
    "query",
    [
        "東京都庁",
        "展望室からの眺め",
        "東京",
        "庁は",
        "新宿区 眺め",
        "猫",
        "Python",
        "入門",
        "Python入門",
        "素晴らしい",
    ],
)
def test_a_script_without_spaces_is_found_by_any_part_of_its_sentences(query: str) -> None:
    make_article("Tokyo", JAPANESE)
    assert finds(query)


@pytest.mark.parametrize(
    ("text", "query"), [("ภาษาไทยง่าย", "ไทย"), ("데이터베이스를 백업한다", "백업"), ("機械学習", "学習")]
)
def test_so_are_thai_korean_and_chinese(text: str, query: str) -> None:
    make_article("Words", text)
    assert finds(query)


def test_words_missing_from_a_japanese_text_are_not_found() -> None:
    make_article("Tokyo", JAPANESE)
    assert not finds("京東")


MANY = 100_000
HOSTILE = {
    "marks": "\u0300\u0316" * (MANY // 2),
    "marks of another script": "\u05b0\u05c1" * (MANY // 2),
    "pairs that are all different": "".join(chr(0x20000 + n % 40_000) for n in range(MANY)),
    "ligatures that become 18 letters": "\ufdfa" * MANY,
    "joints": "a_" * (MANY // 2),
    "hyphens": "a-b" * (MANY // 3),
    "humps": "aB" * (MANY // 2),
    "comments": "<!--" * (MANY // 4),
    "one word": "a" * MANY,
    "joints alone": "~/" * (MANY // 2),
    "a word before joints": "a" * (MANY // 2) + "~/" * (MANY // 4),
    "a word before joints, and another": "a" * (MANY // 2) + "~" * (MANY // 2 - 9) + " b-c",
    "capitals before a hump": "A" * (MANY - 9) + " aB",
    "numbers": "1e" * (MANY // 2),
    "addresses": "a@b.c/" * (MANY // 6),
    "words that are all different": " ".join(f"{n:x}" for n in range(MANY // 5)),
    "joined words that are all different": "-".join(f"{n:x}" for n in range(MANY // 5)),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_is_refused_or_takes_long(text: str) -> None:
    started = time.monotonic()
    make_article("Hostile", text)
    assert time.monotonic() - started < 20  # what grows with the square takes minutes
    assert Article.objects.count() == 1
