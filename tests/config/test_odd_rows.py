"""No row, however odd, takes a page with it: lists, searches, the API and the admin show it among the others."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from access.models import ApiToken
from articles.models import Article
from tests.admin_rows import change_url, list_url

pytestmark = pytest.mark.django_db

DEEPEST: Any = {}
for _ in range(30):
    DEEPEST = {"a": [DEEPEST]} if len(json.dumps(DEEPEST)) < 100 else {"a": DEEPEST}

# Each as an operator's INSERT may leave it; the database refuses worse.
ODD: dict[str, dict[str, Any]] = {
    "nothing but a title": {},
    "letters of no script": {"slug": "😀-\u0301", "title": "\u202e\u200b\u0301" * 100},
    "controls in the text": {"content": "word \x01\x0b\x1b[2J\u2028\ufffe\U000e0001 " * 50},
    "a huge text": {"content": "word " * 200_000},
    "one endless word": {"content": "word" * 250_000},
    "nested": {"metadata": '{"a":' * 31 + "1" + "}" * 31},
    "great numbers": {"metadata": json.dumps({"n": [2**64 - 1, -(2**63), 1e-300, 0.1]})},
    "odd names": {
        "metadata": json.dumps({"": None, "\u202e": {"a b": [[]]}, "items": 1, "title": "x" * 9_000})
    },
    "the first year": {"created_at": "0001-01-02 UTC", "updated_at": "0001-01-02 UTC"},
    "the last year": {"created_at": "9999-12-30 UTC", "updated_at": "9999-12-30 UTC"},
    "the last version": {"version_number": 2**31 - 1},
}
# As rows older than the checks may have been, were they not mended.
UNCHECKED = {"no slug": {"slug": ""}, "a path for a slug": {"slug": "a/b\nc"}}


def insert(columns: dict[str, Any]) -> Article:
    names = {"title": "A word", "content": "Some word."} | columns
    values = ", ".join(["%s"] * len(names))
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO articles ({', '.join(names)}) VALUES ({values})", list(names.values()))
    return Article.objects.get()


def unchecked(columns: dict[str, Any]) -> Article:
    article = insert({})
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE articles DROP CONSTRAINT articles_checked")
        cursor.execute("UPDATE articles SET slug = %s", [columns["slug"]])
    article.refresh_from_db()
    return article


def check_pages(client: Client, article: Article) -> None:
    for url in ("/", "/search?q=word&mode=keyword", "/search?q=word"):
        response = client.get(url)
        assert response.status_code == 200, url
    assert article.title[:5] in client.get("/").content.decode() or "\u202e" in article.title


def check_admin(client: Client, article: Article) -> None:
    client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    version = article.versions.first()
    urls = [list_url(Article), change_url(article), reverse("admin:articles_articleversion_changelist")]
    for url in [*urls, *([change_url(version)] if version else [])]:
        assert client.get(url).status_code == 200, url


def check_api(client: Client, article: Article) -> None:
    _, token = ApiToken.objects.issue("t", ["read", "write"])
    headers = {"Authorization": f"Bearer {token}"}
    for url in ("/api/articles", "/api/articles/export"):
        response = client.get(url, headers=headers)
        assert response.status_code == 200, url
        assert article.slug in b"".join(response).decode() or "/" in article.slug
    search = {"query": "word", "mode": "keyword"}
    found = client.post("/api/search", search, "application/json", headers=headers)
    assert found.status_code == 200


@pytest.mark.parametrize("columns", ODD.values(), ids=ODD)
def test_every_face_survives_a_row_that_the_database_takes(client: Client, columns: dict[str, Any]) -> None:
    article = insert(columns)
    check_pages(client, article)
    assert client.get(reverse("article", args=[article.slug])).status_code == 200
    check_api(client, article)
    check_admin(client, article)


@pytest.mark.parametrize("columns", UNCHECKED.values(), ids=UNCHECKED)
def test_every_list_survives_a_row_that_has_no_address(client: Client, columns: dict[str, Any]) -> None:
    article = unchecked(columns)
    check_pages(client, article)
    check_api(client, article)
    check_admin(client, article)


def test_a_change_of_an_article_that_is_too_large_by_now_is_refused_with_the_check(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO articles (slug, title, content) VALUES ('s', 'T', 'Some text.')")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE articles DROP CONSTRAINT articles_checked")
        cursor.execute(
            "ALTER TABLE articles ADD CONSTRAINT articles_checked CHECK (length(content) < 9) NOT VALID"
        )
    _, token = ApiToken.objects.issue("t", ["write"])
    headers = {"Authorization": f"Bearer {token}"}
    response = client.patch("/api/articles/s", {"metadata": {"a": 1}}, "application/json", headers=headers)
    assert response.status_code == 422
    assert "it breaks the check articles_checked" in response.json()["detail"]
