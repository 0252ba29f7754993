"""Writing articles in the admin."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from articles import limits
from articles.models import Article
from tests.admin_rows import make_person

pytestmark = pytest.mark.django_db
ADD = reverse("admin:articles_article_add")
LIST = reverse("admin:articles_article_changelist")
FIELDS = {"title": "A title", "slug": "", "content": "Some content.", "metadata": "{}"}


@pytest.fixture
def editor(client: Client) -> Client:
    rights = ("add", "change", "view")
    client.force_login(make_person("ada", *(f"articles.{right}_article" for right in rights)))
    return client


def form_of(article: Article) -> dict[str, Any]:
    """What the browser sends back when nothing was changed."""
    return {
        "title": article.title,
        "slug": article.slug,
        "content": article.content,
        "metadata": "{}",
        "read_at": article.updated_at.isoformat(),
    }


def make_article(**fields: Any) -> Article:
    article = Article(**{"title": "A title", "content": "Some content."} | fields)
    article.save()
    article.refresh_from_db()
    return article


def change(article: Article) -> str:
    return reverse("admin:articles_article_change", args=[article.pk])


def test_a_new_article_gets_its_slug_and_a_first_version_by_its_author(editor: Client) -> None:
    assert editor.post(ADD, FIELDS).status_code == 302
    article = Article.objects.get()
    assert article.slug == "a-title"
    assert article.versions.get().author == "ada"


def test_changed_text_becomes_a_new_version(editor: Client) -> None:
    article = make_article()
    assert editor.post(change(article), form_of(article) | {"content": "New content."}).status_code == 302
    article.refresh_from_db()
    assert article.version_number == 2
    assert [version.author for version in article.versions.all()[:1]] == ["ada"]


def test_changed_metadata_alone_makes_no_new_version(editor: Client) -> None:
    article = make_article()
    editor.post(change(article), form_of(article) | {"metadata": '{"team": "x"}'})
    article.refresh_from_db()
    assert (article.version_number, article.metadata) == (1, {"team": "x"})


def test_what_someone_else_saved_meanwhile_is_not_overwritten(editor: Client) -> None:
    article = make_article()
    stale = form_of(article)
    article.content = "Saved by someone else."
    article.save()
    page = editor.post(change(article), stale | {"content": "Mine."})
    assert page.status_code == 200
    assert "Somebody saved this article" in page.content.decode()
    article.refresh_from_db()
    assert article.content == "Saved by someone else."


def test_an_emptied_slug_keeps_the_articles_address(editor: Client) -> None:
    article = make_article(slug="kept")
    editor.post(change(article), form_of(article) | {"slug": ""})
    assert Article.objects.get().slug == "kept"


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("title", "", "required"),
        ("title", "x" * (limits.MAX_TITLE + 1), "at most 300"),
        ("slug", "Not a slug!", "lower-case"),
        ("metadata", "[1]", "must be a JSON object"),
        ("metadata", "{", "valid JSON"),
        ("content", "x" * (limits.MAX_CONTENT + 1), "longer than 1,000,000"),
        ("content", "a\x00b", "Null characters"),
    ],
)
def test_a_field_out_of_its_bounds_is_refused_in_words(
    editor: Client, field: str, value: str, says: str
) -> None:
    page = editor.post(ADD, FIELDS | {field: value})
    assert page.status_code == 200
    assert says in page.content.decode()
    assert not Article.objects.exists()


def test_a_taken_slug_is_refused(editor: Client) -> None:
    make_article(slug="taken")
    page = editor.post(ADD, FIELDS | {"slug": "taken"})
    assert page.status_code == 200
    assert "already exists" in page.content.decode()


@pytest.mark.parametrize("query", ["zebra", "striped-", "ID", "STRIPED"])
def test_articles_are_found_by_words_by_slug_and_by_id(editor: Client, query: str) -> None:
    wanted = make_article(title="Zebras", slug="striped-animals", content="About a zebra.")
    other = make_article(title="Horses", content="About a horse.")
    page = editor.get(LIST, {"q": query if query != "ID" else str(wanted.pk)}).content.decode()
    assert wanted.title in page
    assert other.title not in page


@pytest.mark.parametrize(
    "query", ["%", "_", "\\", "'", '"', "' OR 1=1 --", "9" * 40, "a" * 5000, "& | !", "٣"]
)
def test_a_strange_search_finds_nothing_and_breaks_nothing(editor: Client, query: str) -> None:
    make_article()
    page = editor.get(LIST, {"q": query})
    assert page.status_code in (200, 302)


def test_deleting_an_article_takes_its_history_along(client: Client) -> None:
    client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    article = make_article()
    url = reverse("admin:articles_article_delete", args=[article.pk])
    assert client.get(url).status_code == 200
    assert Article.objects.exists()
    assert client.post(url, {"post": "yes"}).status_code == 302
    assert not Article.objects.exists()


def test_the_list_names_how_to_reach_the_public_page(editor: Client) -> None:
    article = make_article(slug="größe")
    assert reverse("article", args=[article.slug]) in editor.get(change(article)).content.decode()


def test_typed_text_is_stored_in_the_composed_form(editor: Client) -> None:
    editor.post(ADD, FIELDS | {"title": "Cafe\u0301", "content": "e\u0301"})
    article = Article.objects.get()
    assert (article.title, article.slug, article.content) == ("Café", "café", "é")
    assert editor.post(ADD, FIELDS | {"title": "\u0958" * 300}).status_code == 200  # refused in words
    assert editor.get("/admin/articles/article/", {"q": "cafe"}).content.decode().count("Café")
