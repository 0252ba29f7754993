"""Vectors that exist already are taken over where a sample agrees, at no cost; and not where it does not."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from django.db import connection

from articles.models import Article
from embeddings.indexing.embed import embed
from embeddings.indexing.render import Source, render
from embeddings.models import ArticleEmbedding, Space
from embeddings.storage import vectors
from queueops.engine import claims, execution
from queueops.engine.results import Settled
from queueops.models import AuditLog, Task, Worker
from queueops.monitoring.article_filter import ArticleFilter
from queueops.operate.backfill import adoption
from queueops.operate.backfill.adoption import AdoptionError
from tests.providers import FakeProvider
from tests.queueops.cli_runner import embed_migrate
from tests.queueops.factories import make_worker
from tests.queueops.operate.backfill.test_run import make_corpus

pytestmark = pytest.mark.django_db
LONG = "Some words of a text that is long. " * 200


def make_table(
    name: str = "old_vectors", column: str = "embedding vector", key: str = "article_id bigint"
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {name} ({key}, {column})")


def keep(table: str, values: Mapping[Any, list[float]], cast: str = "vector") -> None:
    """Writes rows: key → vector as numbers."""
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} VALUES (%s, %s::{cast})",
            [(key, json.dumps(numbers)) for key, numbers in values.items()],
        )


def true_vectors(space: Space, articles: Iterable[Article]) -> dict[int, list[float]]:
    """What the provider gives for each article's text: the first chunk's, where there are several."""
    found = {}
    for article in articles:
        source = Source(
            article.pk, article.version_number, article.content_hash, article.title, article.content
        )
        rendered = render(space, source)
        made = embed(space, [rendered], {}, 10)
        found[article.pk] = vectors.from_wire(made.by_hash[rendered.hashes[0]]).tolist()
    return found


def loaded(count: int = 3) -> list[Article]:
    make_corpus(count)
    return list(Article.objects.order_by("pk"))


def test_vectors_that_agree_are_taken_over_without_a_call(space: Space, provider: FakeProvider) -> None:
    articles = loaded()
    make_table()
    keep("old_vectors", true_vectors(space, articles))
    provider.config()  # forgets what it has counted
    called = embed_migrate("--yes", "--adopt=old_vectors.embedding", "--actor=ada", "--json")
    assert called.json["adopted"] == {"adopted": 3, "several": 0, "unusable": 0, "changed": 0}
    assert (called.json["changed"], Task.objects.count()) == (0, 0)
    assert provider.stats()["requests"] == 1  # the sample
    stored = ArticleEmbedding.objects.order_by("article_id")
    assert [row.source_hash for row in stored] == [article.content_hash for article in articles]
    entry = AuditLog.objects.get(message="vectors adopted")
    assert (entry.actor, entry.metadata["scope"]["adopted"]) == ("ada", 3)


def test_what_cannot_be_taken_over_goes_to_the_queue(space: Space) -> None:
    articles = loaded(4)
    long = Article.objects.bulk_create([Article(slug="long", title="Long", content=LONG)])
    kept = true_vectors(space, [*articles[:2], *long])
    make_table()
    keep("old_vectors", kept)
    told = embed_migrate("--yes", "--adopt=old_vectors.embedding", "--json").json
    assert (told["adopted"]["adopted"], told["adopted"]["several"], told["changed"]) == (2, 1, 3)
    assert set(Task.objects.values_list("slug", flat=True)) == {"old-002", "old-003", "long"}


def test_a_sample_that_disagrees_is_refused_with_its_figures(space: Space) -> None:
    articles = loaded()
    make_table()
    keep("old_vectors", {article.pk: [1.0, -2.0, 3.0, -4.0, 5.0, -6.0, 7.0, -8.0] for article in articles})
    called = embed_migrate("--yes", "--adopt=old_vectors.embedding")
    assert called.code == 3
    assert "of 3 re-embedded vectors, 3 have a cosine below 0.999; least" in called.sentence
    assert not ArticleEmbedding.objects.exists()
    assert not Task.objects.exists()


def test_one_vector_of_another_text_is_enough_to_refuse(space: Space) -> None:
    articles = loaded()
    kept = true_vectors(space, articles)
    kept[articles[0].pk] = kept[articles[1].pk]
    make_table()
    keep("old_vectors", kept)
    called = embed_migrate("--yes", "--adopt=old_vectors.embedding")
    assert "1 have a cosine below 0.999" in called.sentence


def test_vectors_of_another_width_are_refused(space: Space) -> None:
    articles = loaded()
    make_table()
    keep("old_vectors", {article.pk: [1.0, 2.0] for article in articles})
    called = embed_migrate("--yes", "--adopt=old_vectors.embedding")
    assert "is 2 numbers wide; those of openai/fake-embed v100 are 8 wide" in called.sentence


@pytest.mark.parametrize("kind", ["jsonb", "text", "vector"])
def test_vectors_may_lie_in_columns_of_several_types(space: Space, kind: str) -> None:
    articles = loaded(2)
    make_table(column=f"embedding {kind}")
    keep("old_vectors", true_vectors(space, articles), kind)
    assert embed_migrate("--yes", "--adopt=old_vectors.embedding", "--json").json["adopted"]["adopted"] == 2


def test_an_array_of_numbers_will_do_as_well(space: Space) -> None:
    [article] = loaded(1)
    make_table(column="embedding float4[]")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO old_vectors VALUES (%s, %s)",
            [article.pk, true_vectors(space, [article])[article.pk]],
        )
    assert embed_migrate("--yes", "--adopt=old_vectors.embedding", "--json").json["adopted"]["adopted"] == 1


def test_a_slug_may_be_the_key(space: Space) -> None:
    articles = loaded(2)
    make_table(key="page text")
    found = true_vectors(space, articles)
    keep("old_vectors", {article.slug: found[article.pk] for article in articles})
    told = embed_migrate("--yes", "--adopt=public.old_vectors.embedding:page", "--json").json
    assert told["adopted"]["adopted"] == 2


def test_the_articles_own_table_may_have_them(space: Space) -> None:
    [article] = loaded(1)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE articles ADD COLUMN embedding vector")
        numbers = json.dumps(true_vectors(space, [article])[article.pk])
        cursor.execute("UPDATE articles SET embedding = %s::vector", [numbers])
    assert embed_migrate("--yes", "--adopt=articles.embedding", "--json").json["adopted"]["adopted"] == 1


def test_names_are_quoted_whatever_they_hold(space: Space) -> None:
    [article] = loaded(1)
    with connection.cursor() as cursor:
        cursor.execute('CREATE TABLE "Old; DROP ""x""" (article_id bigint, "50%% embedding" vector)', [])
    found = adoption.column_of('Old; DROP "x".50% embedding')
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO "Old; DROP ""x""" VALUES (%s, %s::vector)',
            [article.pk, json.dumps(true_vectors(space, [article])[article.pk])],
        )
    assert adoption.compare(space, found, ArticleFilter()).agrees
    assert adoption.adopt(space, found, ArticleFilter(), actor="ada", reason="x").adopted == 1


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("nothing", "there is no column"),
        ("nothing.embedding", "there is no column 'nothing.embedding'"),
        ("articles.embedding", "there is no column"),
        ("a.b.c.d.e", "there is no column"),
        ("old_vectors.embedding:slug", "has no column 'slug' with articles' ids or slugs"),
        ("old_vectors.embedding:embedding", "has no column 'embedding' with articles' ids"),
    ],
)
def test_a_column_that_is_not_there_is_named(space: Space, name: str, part: str) -> None:
    make_table()
    with pytest.raises(AdoptionError, match=part):
        adoption.column_of(name)


def test_a_table_without_a_key_says_how_to_name_one(space: Space) -> None:
    make_table(key="page bigint")
    with pytest.raises(
        AdoptionError, match=r"no column 'article_id or id'.*name it as old_vectors.embedding:KEY"
    ):
        adoption.column_of("old_vectors.embedding")


def test_vectors_without_a_direction_or_in_doubt_are_left_to_the_queue(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    articles = loaded(4)
    kept = true_vectors(space, articles)
    kept[articles[1].pk] = [0.0] * 8
    make_table()
    keep("old_vectors", kept)
    keep("old_vectors", {articles[2].pk: kept[articles[3].pk]})  # a second one
    monkeypatch.setattr(adoption, "compare", lambda *_: adoption.Comparison([1.0]))
    told = embed_migrate("--yes", "--adopt=old_vectors.embedding", "--json").json
    assert (told["adopted"]["adopted"], told["adopted"]["unusable"], told["changed"]) == (2, 2, 2)


def test_a_text_that_changes_meanwhile_is_left_to_the_queue(space: Space) -> None:
    articles = loaded(2)
    make_table()
    keep("old_vectors", true_vectors(space, articles))
    where = adoption.column_of("old_vectors.embedding")
    found = adoption._existing(space, where, [article.pk for article in articles])
    Article.objects.filter(pk=articles[0].pk).update(content="An edit.")
    done = adoption._adopt(space, found)
    assert (done.adopted, done.changed) == (1, 1)
    assert ArticleEmbedding.objects.get().article_id == articles[1].pk


def test_an_adoption_that_was_interrupted_goes_on_with_what_is_missing(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    articles = loaded(4)
    make_table()
    keep("old_vectors", true_vectors(space, articles))
    monkeypatch.setattr(adoption, "_BATCH", 2)
    where = adoption.column_of("old_vectors.embedding")

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adoption.adopt(space, where, ArticleFilter(), actor="ada", reason="x", progress=stop)
    assert AuditLog.objects.get().metadata["scope"]["adopted"] == 2
    assert adoption.adopt(space, where, ArticleFilter(), actor="ada", reason="x").adopted == 2


def test_a_task_that_waits_for_an_adopted_text_costs_nothing(space: Space, provider: FakeProvider) -> None:
    articles = loaded(2)
    embed_migrate("--yes")
    make_table()
    keep("old_vectors", true_vectors(space, articles))
    assert embed_migrate("--yes", "--adopt=old_vectors.embedding", "--json").json["adopted"]["adopted"] == 2
    provider.config()
    worker = make_worker()
    from_queue = _work(space, worker)
    assert (from_queue.outcomes["unchanged"], provider.stats()["requests"]) == (2, 0)


def test_a_provider_that_does_not_answer_is_a_sentence(space: Space, provider: FakeProvider) -> None:
    articles = loaded(1)
    make_table()
    keep("old_vectors", true_vectors(space, articles))
    provider.config(rate_500=1)
    called = embed_migrate("--yes", "--adopt=old_vectors.embedding")
    assert called.code == 3
    assert called.sentence.startswith("the sample could not be embedded by openai/fake-embed v100: ")


def test_a_dry_run_compares_and_takes_nothing_over(space: Space) -> None:
    articles = loaded(2)
    make_table()
    keep("old_vectors", true_vectors(space, articles))
    out = embed_migrate("--dry-run", "--adopt=old_vectors.embedding").out
    assert (
        "old_vectors.embedding:article_id agrees with openai/fake-embed v100: of 2 re-embedded vectors" in out
    )
    assert "adopt up to 2 vectors from old_vectors.embedding:article_id, then queue 2 articles" in out
    assert not ArticleEmbedding.objects.exists()


def _work(space: Space, worker: Worker) -> Settled:
    return execution.execute(claims.claim_due(space, 10, worker.pk, worker.name))
