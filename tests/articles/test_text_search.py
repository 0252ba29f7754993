"""Whatever people ask for in words, Postgres reads it as a query."""

import random

import pytest
from django.db import connection
from django.test import Client

from articles.text_search import for_websearch


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("zip -file", "zip -file"),
        ('e-mail -"spam mail"', 'e-mail -"spam mail"'),
        ("a - b --c -", "a   b   c  "),
        ("-|-|x", " | |x"),
        ("a\x00b", "a b"),
    ],
)
def test_a_minus_stays_where_it_excludes_or_joins(query: str, read: str) -> None:
    assert for_websearch(query) == read


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
    ]
    with connection.cursor() as cursor:
        for _ in range(400):
            few = chance.sample(parts, chance.randint(1, 5))
            query = "".join(chance.choices(few, k=900))[:1_000]
            cursor.execute(
                "SELECT websearch_to_tsquery('english', %s)::text::tsquery", [for_websearch(query)]
            )


@pytest.mark.django_db
def test_the_search_box_of_the_admin_takes_them_too(admin_client: Client) -> None:
    assert admin_client.get("/admin/articles/article/", {"q": "- " * 100}).status_code == 200
