"""How far an article's embedding is, in a sentence for everybody and a reason for the staff."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.template import Context, Template

from articles.models import Article
from queueops.models import Task
from queueops.templatetags.embedding_state import embedding_state, in_words
from tests.queueops.factories import make_article, make_space
from tests.queueops.monitoring.test_snapshot import make_current


def make_state(state: str, chunks: int = 0, source_version: int | None = None) -> Any:
    return {"state": state, "chunks": chunks, "source_version": source_version, "space": "s"}


@pytest.mark.parametrize(
    ("state", "tone"),
    [
        ("embedded", "ok"),
        ("empty", "quiet"),
        ("disabled", "quiet"),
        ("pending", "waiting"),
        ("processing", "waiting"),
        ("behind", "waiting"),
        ("failed", "failed"),
        ("cancelled", "failed"),
        ("unheard of", "waiting"),
    ],
)
def test_each_state_has_a_tone_and_a_sentence(state: str, tone: str) -> None:
    found, sentence = in_words(make_state(state, 2, 3))
    assert found == tone
    assert sentence[0].isupper()
    assert not sentence.endswith(".")


@pytest.mark.parametrize("state", ["pending", "processing", "behind", "failed", "cancelled"])
def test_an_article_that_is_not_embedded_says_how_it_is_found_meanwhile(state: str) -> None:
    assert in_words(make_state(state))[1].endswith("found by words")
    assert "version 3" in in_words(make_state(state, 2, 3))[1]


def test_the_version_that_is_found_is_named() -> None:
    assert "version 7" in in_words(make_state("embedded", 1, 7))[1]


@pytest.fixture
def article(db: None) -> Article:
    make_space()
    return make_article()


def tag(article: Any, **user: Any) -> dict[str, str]:
    request = SimpleNamespace(user=SimpleNamespace(**user)) if user else None
    return embedding_state({"request": request} if request else {}, article)


def test_the_staff_are_told_why_and_others_are_not(article: Article) -> None:
    Task.objects.update(status="failed", outcome="failed", error_class="auth", error_message="the key is old")
    Task.objects.filter(completed_at=None).update(completed_at="2026-01-01T00:00Z")
    assert "the key is old" in tag(article, is_staff=True)["why"]
    for others in ({"is_staff": False}, {}):
        told = tag(article, **others)
        assert (told["tone"], told["why"]) == ("failed", "")


def test_where_all_is_well_there_is_nothing_to_explain(article: Article) -> None:
    space = Task.objects.get().space
    Task.objects.all().delete()
    make_current(article, space)
    told = tag(article, is_staff=True)
    assert (told["tone"], told["why"]) == ("ok", "")


def test_a_providers_message_is_text_on_the_page(article: Article) -> None:
    Task.objects.update(error_class="transient", error_message="<script>x</script>\u202e", attempts=1)
    request = SimpleNamespace(user=SimpleNamespace(is_staff=True))
    page = Template("{% load embedding_state %}{% embedding_state article %}").render(
        Context({"article": article, "request": request})
    )
    assert "<script>" not in page
    assert "\u202e" not in page
    assert 'class="state state-waiting"' in page
