"""What a migration would take: exact counts, and estimates that say what they are based on."""

import pytest
from django.db.models.functions import Now

from articles.models import Article
from config import env
from embeddings.indexing import embed as indexing
from embeddings.indexing.embed import Source
from embeddings.model_catalogue import price_of
from queueops.cli.verbs.estimate_table import size
from queueops.models import Metric, Status
from queueops.monitoring.article_filter import ArticleFilter
from queueops.operate.backfill import estimation, sizing, throughput
from queueops.operate.backfill.throughput import TimedBatch
from tests.queueops.cli_runner import embed_migrate
from tests.queueops.factories import make_space, make_tasks
from tests.queueops.operate.backfill.test_run import embed, make_corpus


@pytest.fixture
def space(db):
    return make_space()


def test_articles_with_without_and_behind_are_told_apart(space):
    embed(make_corpus(3), space)
    embed(make_corpus(2, first=10), space, is_behind=True)
    make_tasks(1, space)
    make_tasks(1, space, Status.FAILED)
    [found] = estimation.standings(ArticleFilter())
    assert (found.articles, found.current, found.behind, found.without) == (7, 3, 2, 2)
    assert (found.waiting, found.failed, found.serves) == (1, 1, True)


def test_the_counts_follow_the_filter(space):
    embed(make_corpus(3), space)
    make_tasks(2, space)
    [found] = estimation.standings(ArticleFilter(slug="old-"))
    assert (found.articles, found.without, found.waiting) == (3, 0, 0)


def test_chunks_and_tokens_of_a_small_corpus_are_exact(space):
    make_corpus(2)
    Article.objects.create(slug="long", title="Long", content="Some words of a text. " * 200)
    [found] = estimation.estimates(ArticleFilter(slug="old-"))
    assert (found.articles, found.sampled, found.chunks) == (2, 2, 2)
    made_by_save = Article.objects.get(slug="long")
    long = estimation.estimate(space, Article.objects.filter(pk=made_by_save.pk))
    source = Source(made_by_save.pk, 1, made_by_save.content_hash, made_by_save.title, made_by_save.content)
    assert long.chunks == len(indexing.render(space, source).chunks) > 5
    assert long.tokens >= long.chunks * 50


def test_what_has_its_vectors_is_not_paid_for(space):
    embed(make_corpus(2), space)
    [found] = estimation.estimates(ArticleFilter())
    assert (found.articles, found.chunks, found.tokens, found.requests, found.seconds) == (0, 0, 0, 0, None)


def test_a_sample_stands_for_the_whole(space, monkeypatch):
    monkeypatch.setattr(estimation, "_SAMPLE", 5)
    make_corpus(40)
    [found] = estimation.estimates(ArticleFilter())
    assert (found.articles, found.sampled) == (40, 5)
    assert 36 <= found.chunks <= 44


def test_requests_follow_the_size_of_a_claim(space, settings):
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
def test_a_price_is_ours_or_the_lists_or_not_known(provider, model, own, price):
    assert price_of(provider, model, own) == price


@pytest.mark.parametrize(
    ("text", "prices"), [("", {}), ("a=0.5", {"a": 0.5}), ("a=0.5, b:latest=1", {"a": 0.5, "b:latest": 1.0})]
)
def test_prices_are_read_from_the_environment(monkeypatch, text, prices):
    monkeypatch.setenv("EMBEDDING_PRICES", text)
    assert env.prices("EMBEDDING_PRICES") == prices


@pytest.mark.parametrize("text", ["a", "a=", "=1", "a=-1", "a=cheap", "a=inf", "a=1,"])
def test_prices_that_are_none_stop_the_start(monkeypatch, text):
    monkeypatch.setenv("EMBEDDING_PRICES", text)
    with pytest.raises(Exception, match="it may hold MODEL=DOLLARS"):
        env.prices("EMBEDDING_PRICES")


def test_the_cost_is_said_and_that_it_is_not_known(space, settings):
    make_corpus(1)
    assert "no price for this model; set it in EMBEDDING_PRICES" in embed_migrate("analyze").out
    settings.EMBEDDING_PRICES = {"fake-embed": 1_000.0}
    [told] = embed_migrate("analyze", "--json").json["estimates"]
    assert told["cost"] == told["tokens"] / 1_000
    assert "at $1000 per million tokens" in embed_migrate("analyze").out


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([], None),
        ([TimedBatch(10, 2, 8)], (4.0, 1)),
        ([TimedBatch(10, 2, 8), TimedBatch(20, 2, 8)], (4.0, 2)),  # the pause between them does not count
        ([TimedBatch(10, 2, 8), TimedBatch(10, 2, 8)], (8.0, 2)),  # side by side
        ([TimedBatch(10, 4, 8), TimedBatch(12, 4, 8)], (16 / 6, 2)),  # they overlap
        ([TimedBatch(10, 8, 8), TimedBatch(8, 2, 8)], (2.0, 2)),  # one within the other
        ([TimedBatch(10, 2, 8), TimedBatch(20, 2, 1)], (4.0, 1)),  # a single save says nothing of a backlog
    ],
)
def test_the_rate_is_that_of_all_workers_while_they_work(batches, expected):
    found = throughput.of(batches)
    assert (found and (found.per_second, found.batches)) == expected


def test_the_rate_is_read_from_the_batches_of_the_space(space):
    make_corpus(6)
    assert "no batch has been measured yet" in embed_migrate("analyze").out
    now = {"timestamp": Now(), "labels": {"space": space.pk, "provider": "openai"}}
    Metric.objects.bulk_create(
        [Metric(name="batch_seconds", value=2.0, **now), Metric(name="provider_texts", value=8.0, **now)]
    )
    [told] = embed_migrate("analyze", "--json").json["estimates"]
    assert (told["per_second"], told["batches_measured"], told["seconds"]) == (4.0, 1, 1.5)
    assert throughput.measured(space.pk + 1) is None


@pytest.mark.parametrize(
    ("dimensions", "a_page"),
    [(384, 4), (768, 2), (1536, 1)],
)
def test_the_index_takes_whole_pages(dimensions, a_page):
    assert sizing.index_bytes(dimensions, 100 * a_page) == 100 * 8_192
    assert sizing.index_bytes(dimensions, 1) == 8_192


@pytest.mark.parametrize(
    ("dimensions", "table", "index", "build"), [(384, 2_193, 2_049, 2_249), (1_536, 8_626, 8_196, 6_876)]
)
def test_the_formulas_give_what_was_measured(dimensions, table, index, build):
    # bytes a chunk of some thousand random vectors in Postgres 18 with pgvector 0.8; `build` is when it stopped fitting
    assert sizing.table_bytes(dimensions, 1_000) / 1_000 == pytest.approx(table, rel=0.02)
    assert sizing.index_bytes(dimensions, 1_000) / 1_000 == pytest.approx(index, rel=0.02)
    assert sizing.build_bytes(dimensions, 1_000) / 1_000 == pytest.approx(build, rel=0.02)


def test_wider_vectors_take_more_of_everything():
    for measure in (sizing.table_bytes, sizing.index_bytes, sizing.build_bytes):
        sizes = [measure(width, 1_000) for width in (8, 384, 768, 1_536, 3_072)]
        assert sizes == sorted(sizes)
        assert measure(384, 0) == 0


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (3 * 1024**4, "3.0 TiB")]
)
def test_bytes_are_told_in_the_unit_that_fits(count, text):
    assert size(count) == text


def test_the_analysis_names_the_command_that_goes_on(space):
    make_corpus(2)
    out = embed_migrate("analyze").out
    assert "The mode is queued." in out
    assert "2 articles to queue: manage.py embed_migrate run" in out
    embed_migrate("--yes")
    assert "Every matching article is embedded or queued." in embed_migrate("analyze").out
