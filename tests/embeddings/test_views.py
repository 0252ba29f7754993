"""The public pages: searching, reading, and saying plainly how things stand."""

import re
import time
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from articles.limits import MAX_CONTENT
from articles.models import Article
from embeddings.models import Space
from queueops.models import Status, Task, worker_registry
from queueops.worker.drain import Drained, drain
from tests.admin_rows import NASTY, make_person
from tests.providers import FakeProvider
from tests.queueops.factories import make_space
from tests.responses import Response

pytestmark = pytest.mark.django_db


@pytest.fixture
def space(provider: FakeProvider) -> Space:
    return make_space(dimensions=64)


def make_article(title: str, content: str = "", **fields: Any) -> Article:
    article = Article(title=title, content=content, **fields)
    article.save()
    return article


def embed_all() -> Drained:
    """What the workers do."""
    return drain(worker_registry.register().pk, seconds=30)


def text_of(response: Response) -> str:
    """What a reader sees: without tags, on one line."""
    body = response.content.decode().split("<body>")[-1]
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_the_first_page_asks_for_a_search_and_shows_the_newest_articles(client: Client, space: Space) -> None:
    make_article("How to bake bread")
    page = client.get("/")
    assert page.status_code == 200
    assert "How to bake bread" in text_of(page)
    assert 'role="search"' in page.content.decode()


def test_an_empty_corpus_says_how_to_fill_it(client: Client, space: Space) -> None:
    assert "There are no articles yet" in text_of(client.get("/"))


def test_a_question_finds_its_article_by_meaning(client: Client, space: Space) -> None:
    make_article("Baking", "Bake bread with flour and yeast.")
    make_article("Sailing", "Steer a boat across the sea.")
    embed_all()
    page = client.get("/", {"q": "bread flour"})
    text = text_of(page)
    assert text.index("Baking") < text.index("Sailing")
    assert "2 results by meaning" in text
    assert re.search(r"\d+ ms", text)
    assert 'value="bread flour"' in page.content.decode()


def test_the_page_works_without_a_script_in_every_mode(client: Client, space: Space) -> None:
    make_article("Baking", "Bake bread with flour and yeast.")
    embed_all()
    for mode, says in [
        ("semantic", "by meaning"),
        ("keyword", "by words"),
        ("hybrid", "by meaning and words"),
    ]:
        page = client.get("/", {"q": "bread", "mode": mode})
        assert says in text_of(page)
        assert re.search(rf'value="{mode}" checked', page.content.decode())


def test_the_results_alone_are_the_same_as_on_the_page(client: Client, space: Space) -> None:
    make_article("Baking", "Bake bread with flour and yeast.")
    embed_all()
    alone = client.get("/search", {"q": "bread"}).content.decode()
    assert "<html" not in alone
    assert "Baking" in alone


def test_an_unreachable_provider_is_reported_and_keywords_are_used(
    client: Client, space: Space, settings: Settings
) -> None:
    make_article("Baking", "Bake bread with flour and yeast.")
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9/v1"
    text = text_of(client.get("/search", {"q": "bread"}))
    assert "The embedding provider gave no answer (provider down); these are keyword results." in text
    assert "Baking" in text
    assert "1 result by words" in text


def test_the_page_says_how_far_the_embedding_is(client: Client, space: Space) -> None:
    make_article("Baking")
    embed_all()
    assert "1 article searchable" in text_of(client.get("/"))
    make_article("Sailing")
    assert "1 of 2 articles found by meaning so far" in text_of(client.get("/"))


def test_a_search_without_results_says_so(client: Client, space: Space) -> None:
    make_article("Baking")
    assert "Nothing found for “ zebra ”" in text_of(client.get("/search", {"q": "zebra", "mode": "keyword"}))


@pytest.mark.parametrize("query", [{}, {"q": ""}, {"q": "   "}, {"mode": "keyword"}])
def test_nothing_asked_shows_the_newest(client: Client, space: Space, query: dict[str, str]) -> None:
    make_article("Baking")
    assert "Newest articles" in text_of(client.get("/search", query))


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"q": "x" * 1001}, "up to 1,000 characters"),
        ({"q": "a\x00b"}, "Null characters are not allowed"),
        ({"q": "x", "mode": "magic"}, "magic is not one of the available choices"),
        ({"q": "x", "mode": NASTY}, "is not one of the available choices"),
    ],
)
def test_a_question_that_cannot_be_asked_is_answered_with_a_sentence(
    client: Client, space: Space, query: dict[str, str], says: str
) -> None:
    for path in ("/", "/search"):
        page = client.get(path, query)
        assert page.status_code == 200
        assert says in text_of(page)
        assert "<script>alert" not in page.content.decode()


@pytest.mark.parametrize("query", ["'", "\\", "%", "& | !", "<->", '"', "\ud83d\ude00", "a" * 1000, "\u202e"])
def test_strange_questions_break_nothing(client: Client, space: Space, query: str) -> None:
    make_article("Baking")
    for mode in ("semantic", "keyword", "hybrid"):
        encoded = query.encode("utf-16", "surrogatepass").decode("utf-16")
        assert client.get("/", {"q": encoded, "mode": mode}).status_code == 200


def test_bytes_that_are_not_text_break_nothing(client: Client, space: Space) -> None:
    assert client.get("/?q=%ff%fe%ed%a0%80").status_code == 200


def test_an_article_is_shown_with_its_version_and_metadata(client: Client, space: Space) -> None:
    article = make_article(
        "Baking", "## Flour\n\nTake *much*.\n\n- one\n- `two`", metadata={"team": "kitchen"}
    )
    article.content += "\n\nEnd."
    article.save()
    page = client.get(f"/articles/{article.slug}")
    html = page.content.decode()
    assert '<h2 dir="auto">Flour</h2>' in html
    assert '<li dir="auto">one</li>' in html
    assert "<code>two</code>" in html
    assert "Version 2" in text_of(page)
    assert "team kitchen" in text_of(page)


@pytest.mark.parametrize("title", ["Größe", "日本語の記事", "مقالة", "Ελληνικά", "O'Reilly & Sons"])
def test_an_article_in_any_script_has_its_page(client: Client, space: Space, title: str) -> None:
    article = make_article(title, "Text.")
    embed_all()
    results = client.get("/search", {"q": title}).content.decode()
    url = reverse("article", args=[article.slug])
    assert f'href="{url}"' in results
    assert client.get(url).status_code == 200


def test_user_input_is_shown_as_text(client: Client, space: Space) -> None:
    article = make_article(
        NASTY, f"{NASTY}\n\n## {NASTY}\n\n- {NASTY}\n\n`{NASTY}`\n\n    {NASTY}", metadata={NASTY: NASTY}
    )
    embed_all()
    for url in ["/", f"/articles/{article.slug}"]:
        assert "<script>alert" not in client.get(url).content.decode()
    for mode in ("semantic", "keyword"):
        page = client.get("/", {"q": NASTY, "mode": mode}).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize("slug", ["no-such-article", "%00", "a%00b", "a" * 3000, "..", "%ff", "%27"])
def test_an_unknown_article_is_not_found_in_words(client: Client, space: Space, slug: str) -> None:
    page = client.get(f"/articles/{slug}")
    assert page.status_code == 404
    assert "Page not found" in text_of(page)


@pytest.mark.parametrize("path", ["/", "/search", "/articles/baking", "/health"])
def test_the_pages_are_for_reading_only(client: Client, space: Space, path: str) -> None:
    make_article("Baking")
    assert client.post(path).status_code == 405


STATES = [
    (None, "Found by meaning since version 1"),
    (Status.PENDING, "Waiting to be embedded; found by words"),
    (Status.PROCESSING, "Being embedded right now"),
    (Status.FAILED, "Could not be embedded"),
    (Status.CANCELLED, "Its embedding was cancelled"),
]


@pytest.mark.parametrize(("status", "says"), STATES)
def test_an_article_says_how_far_its_embedding_is(
    client: Client, space: Space, status: Status | None, says: str
) -> None:
    article = make_article("Baking", "Bake bread.")
    if status is None:
        embed_all()
    else:
        Task.objects.update(status=status, error_class="auth", error_message="the key sk-123 was refused")
    page = client.get(f"/articles/{article.slug}")
    assert says in text_of(page)
    assert "sk-123" not in text_of(page)


def test_an_edited_article_says_by_which_text_it_is_found_meanwhile(client: Client, space: Space) -> None:
    article = make_article("Baking", "Bake bread.")
    embed_all()
    article.content = "Bake cake."
    article.save()
    text = text_of(client.get(f"/articles/{article.slug}"))
    assert "Waiting to be embedded; found by the meaning of version 1" in text


def test_the_staff_reads_why_an_article_could_not_be_embedded(client: Client, space: Space) -> None:
    article = make_article("Baking", "Bake bread.")
    Task.objects.update(
        status=Status.FAILED, error_class="auth", error_message="the key was refused", attempts=3
    )
    client.force_login(make_person("ada"))
    assert "the key was refused" in text_of(client.get(f"/articles/{article.slug}"))


def test_without_a_space_words_still_find(client: Client, space: Space) -> None:
    make_article("Baking", "Bake bread.")
    Space.objects.all().delete()
    assert "Baking" in text_of(client.get("/", {"q": "bread"}))


def test_a_page_takes_few_statements_however_many_articles_there_are(
    client: Client, space: Space, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(12):
        make_article(f"Bread {number}", "Bake bread.")
    embed_all()
    with django_assert_max_num_queries(8):
        client.get("/", {"q": "bread"})


def test_a_title_that_hides_something_shows_it_on_every_page(client: Client, space: Space) -> None:
    article = make_article("pay\u202elap \u200b\U000e0041x", "Text.", metadata={"a\u202eb": "c\u2066d"})
    embed_all()
    for url in ("/", f"/articles/{article.slug}", "/search?q=text", "/search?q=nothing&mode=keyword"):
        assert not set(client.get(url).content.decode()) & set("\u202e\u200b\u2066\U000e0041"), url
    page = client.get(f"/articles/{article.slug}").content.decode()
    assert '<h1 dir="auto">pay\\u202elap \\u200b\\U000e0041x</h1>' in page
    assert '<dt dir="auto">a\\u202eb</dt><dd dir="auto">c\\u2066d</dd>' in page


def test_a_snippet_that_hides_something_shows_it(client: Client, space: Space) -> None:
    make_article("Bread", "Text that turns\u202e and hides\u200b.")
    embed_all()
    page = client.get("/search?q=text").content.decode()
    assert "turns\\u202e and hides\\u200b." in page
    assert not set(page) & set("\u202e\u200b")


def test_a_text_from_right_to_left_stays_readable(client: Client, space: Space) -> None:
    article = make_article("می\u200cخواهم", "# שלום\n\nمقالة \u200fعن\n\n- مادة")
    page = client.get(f"/articles/{article.slug}").content.decode()
    assert '<h1 dir="auto">می\u200cخواهم</h1>' in page
    assert '<h2 dir="auto">שלום</h2>' in page
    assert '<p class="text" dir="auto">مقالة \u200fعن' in page
    assert '<li dir="auto">مادة</li>' in page


LINES = ["word\n", "- item\n", "- a\n" + "b\n" * 999, "`a` ", "# a", "# h\n", "```\n", "\t", "\n"]


@pytest.mark.parametrize("line", LINES)
def test_the_longest_article_has_its_page_in_bounded_time(client: Client, space: Space, line: str) -> None:
    content = f"start {(line * (MAX_CONTENT // len(line)))[: MAX_CONTENT - 20]} end"
    article = make_article("Long", content)
    client.get("/")  # loads the templates
    began = time.thread_time()
    assert client.get(f"/articles/{article.slug}").status_code == 200
    assert time.thread_time() - began < 5
