"""What a migration would take: exact counts, and estimates that say what they are based on."""

import pytest
from pytest_django import Settings

from articles.models import Article
from config import env
from embeddings.indexing.render import Source, render
from embeddings.model_catalogue import price_of
from embeddings.models import Space
from queueops.models import Status
from queueops.monitoring.article_filter import ArticleFilter
from queueops.operate.backfill import estimation
from tests.queueops.cli_runner import embed_migrate
from tests.queueops.factories import make_space, make_tasks
from tests.queueops.operate.backfill.test_run import embed, make_corpus


@pytest.fixture
def space(db: None) -> Space:
    return make_space()


def test_articles_with_without_and_behind_are_distinguished(space: Space) -> None:
    embed(make_corpus(3), space)
    embed(make_corpus(2, first=10), space, is_behind=True)
    make_tasks(1, space)
    make_tasks(1, space, Status.FAILED)
    [found] = estimation.standings(ArticleFilter())
    assert (found.articles, found.current, found.behind, found.without) == (7, 3, 2, 2)
    assert (found.waiting, found.failed, found.serves) == (1, 1, True)


def test_the_counts_follow_the_filter(space: Space) -> None:
    embed(make_corpus(3), space)
    make_tasks(2, space)
    [found] = estimation.standings(ArticleFilter(slug="old-"))
    assert (found.articles, found.without, found.waiting) == (3, 0, 0)


def test_chunks_and_tokens_of_a_small_corpus_are_exact(space: Space) -> None:
    make_corpus(2)
    Article.objects.create(slug="long", title="Long", content="Some words of a text. " * 200)
    [found] = estimation.estimates(ArticleFilter(slug="old-"))
    assert (found.articles, found.sampled, found.chunks) == (2, 2, 2)
    made_by_save = Article.objects.get(slug="long")
    long = estimation.estimate(space, Article.objects.filter(pk=made_by_save.pk))
    source = Source(made_by_save.pk, 1, made_by_save.content_hash, made_by_save.title, made_by_save.content)
    assert long.chunks == len(render(space, source).chunks) > 5
    assert long.tokens >= long.chunks * 50


def test_what_has_its_vectors_is_not_paid_for(space: Space) -> None:
    embed(make_corpus(2), space)
    [found] = estimation.estimates(ArticleFilter())
    assert (found.articles, found.chunks, found.tokens, found.requests, found.seconds) == (0, 0, 0, 0, None)


def test_a_sample_stands_for_the_whole(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimation, "_SAMPLE", 5)
    make_corpus(40)
    [found] = estimation.estimates(ArticleFilter())
    assert (found.articles, found.sampled) == (40, 5)
    assert 36 <= found.chunks <= 44


def test_requests_follow_the_size_of_a_claim(space: Space, settings: Settings) -> None:
    settings.EMBEDDING_BATCH_SIZE = 4
    make_corpus(10)
    assert estimation.estimates(ArticleFilter())[0].requests == 3


@pytest.mark.parametrize(
    ("provider", "model", "own", "price"),
    [
        ("openai", "text-embedding-3-small", {}, 0.02),
        ("openai", "text-embedding-3-small", {"text-embedding-3-small": 0.01}, 0.01),
        ("openai", "of-our-own", {}, None),
        ("local", "all-MiniLM-L6-v2", {}, 0.0),
        ("ollama", "nomic-embed-text", {}, 0.0),
        ("ollama", "nomic-embed-text", {"nomic-embed-text": 0.5}, 0.5),
    ],
)
def test_a_price_is_ours_or_the_lists_or_not_known(
    provider: str, model: str, own: dict[str, float], price: float | None
) -> None:
    assert price_of(provider, model, own) == price


@pytest.mark.parametrize(
    ("text", "prices"), [("", {}), ("a=0.5", {"a": 0.5}), ("a=0.5, b:latest=1", {"a": 0.5, "b:latest": 1.0})]
)
def test_prices_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, text: str, prices: dict[str, float]
) -> None:
    monkeypatch.setenv("EMBEDDING_PRICES", text)
    assert env.prices("EMBEDDING_PRICES") == prices


@pytest.mark.parametrize("text", ["a", "a=", "=1", "a=-1", "a=cheap", "a=inf", "a=1,"])
def test_prices_that_are_none_stop_the_start(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("EMBEDDING_PRICES", text)
    with pytest.raises(Exception, match="it may hold MODEL=DOLLARS"):
        env.prices("EMBEDDING_PRICES")


def test_the_cost_is_said_and_that_it_is_not_known(space: Space, settings: Settings) -> None:
    make_corpus(1)
    assert "no price for this model; set it in EMBEDDING_PRICES" in embed_migrate("analyze").out
    settings.EMBEDDING_PRICES = {"fake-embed": 1_000.0}
    [told] = embed_migrate("analyze", "--json").json["estimates"]
    assert told["cost"] == told["tokens"] / 1_000
    assert "at $1000 per million tokens" in embed_migrate("analyze").out


def test_the_analysis_names_the_command_that_goes_on(space: Space) -> None:
    make_corpus(2)
    out = embed_migrate("analyze").out
    assert "The mode is queued." in out
    assert "2 articles to queue: python manage.py embed_migrate run" in out
    embed_migrate("--yes")
    assert "Every matching article is embedded or queued." in embed_migrate("analyze").out
