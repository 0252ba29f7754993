"""Whatever people type as a query, Postgres reads it, and it asks for the same words as texts hold."""

import random
import time

import pytest
from django.db import connection
from django.test import Client

from articles.text_search import MOST_WORDS, parse


@pytest.mark.parametrize(
    ("query", "all_words"),
    [
        ("zip archive", "'zip' & 'archive'"),
        ("zip -file", "'zip' & !'file'"),
        ('e-mail -"spam mail"', "(('e' <-> 'mail') | 'email') & !('spam' <-> 'mail')"),
        ('"text file"', "('text' <-> 'file')"),
        ("“text file”", "('text' <-> 'file')"),
        ("bread or zip", "('bread' | 'zip')"),
        ("TCP/IP", "(('TCP' <-> 'IP') | 'TCPIP')"),
        ("ZipFile", "(('ZipFile') | ('Zip' <-> 'File') | 'ZipFile')"),
        ("PDFs", "'PDFs'"),
        ("/etc/nginx/", "(('etc' <-> 'nginx') | 'etcnginx')"),
        ("a - b --c -", "'a' & 'b' & 'c'"),
        ("a\x00b", "'a' & 'b'"),
        ("Straße", "'Strasse'"),
        ("東京都", "('東京' & '京都')"),
        ("猫", "('猫':*)"),
        ("Python入門", "'Python' & ('入門')"),
        ("or", ""),
        ("- ' \"", ""),
    ],
)
def test_a_query_asks_for_words_phrases_and_joined_words(query: str, all_words: str) -> None:
    assert parse(query).all_words == all_words


def test_any_word_is_enough_but_for_what_is_quoted_or_excluded() -> None:
    assert parse('TCP/IP "text file" -zip').any_word == (
        "((('TCP' <-> 'IP') | 'TCPIP') | 'TCP' | 'IP' | ('text' <-> 'file') | 'text' | 'file')"
        " & ('text' <-> 'file') & !'zip'"
    )


def test_a_query_is_no_longer_than_its_bound() -> None:
    words = [word for item in parse("a1 b2 " * 150).items for word in item.words]
    assert 0 < len(words) <= MOST_WORDS


@pytest.mark.django_db
def test_postgres_reads_any_mix_of_operators_and_words() -> None:
    chance = random.Random(7)
    parts = [
        "-",
        '"',
        "|",
        "&",
        "!",
        "(",
        ")",
        " ",
        "a",
        "b-c",
        " or ",
        "'",
        "\\",
        ":*",
        "<",
        "é",
        "_",
        "\u0301",
        ".",
        "日本",
    ]
    with connection.cursor() as cursor:
        for _ in range(400):
            few = chance.sample(parts, chance.randint(1, 5))
            query = parse("".join(chance.choices(few, k=900))[:1_000])
            for text in (query.all_words, query.any_word):
                cursor.execute("SELECT to_tsquery('english', %s)::text::tsquery", [text])


@pytest.mark.parametrize("text", ["-", '"', " or ", "a-", "aB", "日", "é", "\u0300\u0316", 'a"b" ', "😀"])
def test_a_query_of_the_greatest_length_is_read_at_once(text: str) -> None:
    started = time.process_time()
    parse((text * 1_000)[:1_000])
    assert time.process_time() - started < 0.5


@pytest.mark.django_db
def test_the_search_box_of_the_admin_takes_them_too(admin_client: Client) -> None:
    assert admin_client.get("/admin/articles/article/", {"q": "- " * 100}).status_code == 200
