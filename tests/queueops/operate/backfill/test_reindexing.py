"""Embedding anew really asks the provider again, costs no search anything meanwhile, and says before what it takes."""

import pytest
from django.db import connection
from pytest_django import Settings

from articles.models import Article
from embeddings import recipes
from embeddings.models import ArticleEmbedding, Space
from embeddings.search import search
from embeddings.storage import ann_index
from queueops.engine import claims, modes
from queueops.models import AuditLog, Mode, Task, Worker
from queueops.operate import controls
from queueops.worker.drain import drain
from tests.providers import FakeProvider
from tests.queueops.cli_runner import called
from tests.queueops.factories import make_article, make_space

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def corpus(space: Space, worker: Worker, provider: FakeProvider) -> list[Article]:
    """Three embedded articles, two with the same text."""
    articles = [
        make_article("Same", "One text."),
        make_article("Same", "One text."),
        make_article("B", "Another."),
    ]
    drain(worker.pk, seconds=10)
    provider.config(reset=True)
    return articles


def stored() -> list[int]:
    return list(ArticleEmbedding.objects.order_by("article_id").values_list("id", flat=True))


def test_every_article_is_embedded_again_and_found_all_the_while(
    corpus: list[Article], worker: Worker, provider: FakeProvider
) -> None:
    before = stored()
    done = called("reindex", "--yes", "--json", "--reason=a new model file", "--actor=ada")
    assert (done.code, done.json["articles"], done.json["tasks"]) == (0, 3, 3)
    assert set(Task.objects.pending().values_list("priority", "metadata__reason")) == {("low", "reindex")}
    assert stored() == before
    assert not search("Another.").degraded
    provider.config(reset=True)
    assert drain(worker.pk, seconds=10).tasks == 3
    assert provider.stats()["texts"] == 2  # the same text of a batch is sent once
    assert not set(stored()) & set(before)
    assert set(Task.objects.filter(metadata__reason="reindex").values_list("outcome", flat=True)) == {
        "embedded"
    }
    row = AuditLog.objects.get(operation_id=done.json["operation"])
    assert (row.actor, row.metadata["reason"], row.metadata["tasks"]) == ("ada", "a new model file", 3)


def test_a_filter_names_some_of_them(corpus: list[Article]) -> None:
    Article.objects.filter(pk=corpus[2].pk).update(metadata={"kind": "b"})
    assert called("reindex", "--yes", "--json", '--filter={"kind": "b"}').json["articles"] == 1
    assert called("reindex", "--yes", "--json", "--filter=same").json["articles"] == 2
    assert Task.objects.pending().count() == 3


def test_where_no_article_fits_nothing_is_begun(corpus: list[Article]) -> None:
    assert called("reindex", "--yes", "--filter=nothing-here").out.endswith("No article matches.\n")
    assert called("reindex", "--yes", "--json", "--filter=nothing-here").json["operation"] is None
    assert not AuditLog.objects.filter(category="operator").exists()


def test_a_task_that_waits_already_is_joined_and_embeds_again(
    corpus: list[Article], worker: Worker, provider: FakeProvider
) -> None:
    called("reindex", "--yes")
    assert called("reindex", "--yes", "--json").json["tasks"] == 3
    assert Task.objects.pending().count() == 3
    article = corpus[2]
    article.metadata = {"touched": True}
    article.save()
    drain(worker.pk, seconds=10)
    assert provider.stats()["texts"] == 2
    assert not Task.objects.pending().exists()


def test_a_retry_embeds_again_too(
    corpus: list[Article], worker: Worker, provider: FakeProvider, settings: Settings
) -> None:
    settings.EMBEDDING_RETRY_BACKOFF_BASE = 1
    provider.config(fail_next=["500"])
    called("reindex", "--yes", "--filter=b")
    before = stored()
    while Task.objects.pending().exists():
        drain(worker.pk, seconds=1)
    assert len(set(stored()) & set(before)) == 2


def test_it_says_first_what_it_takes_and_asks(corpus: list[Article]) -> None:
    said = called("reindex", "--dry-run").out
    assert "Estimate for 3 articles in space" in said
    assert "This would embed 3 articles again in 1 space(s)" in said
    assert called("reindex", "--dry-run", "--json").json["estimates"][0]["articles"] == 3
    assert called("reindex").code == 3
    assert not Task.objects.pending().exists()


def test_it_is_refused_while_embedding_is_disabled(corpus: list[Article]) -> None:
    controls.set_mode(Mode.DISABLED, actor="ada", reason="x")
    modes.forget()
    assert "embedding is disabled" in called("reindex", "--yes").sentence


def file_of(space: Space) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relfilenode FROM pg_class WHERE relname = %s", [ann_index.name_of(space)])
        return int(cursor.fetchone()[0])


def test_the_index_alone_is_rebuilt_beside_the_one_in_use(
    corpus: list[Article], space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ann_index, "WANTED_FROM_ROWS", 2)
    assert called("reindex", "--index-only", "--yes", "--json").json["indexes"] == [ann_index.name_of(space)]
    before = file_of(space)
    assert "the current one stays in use meanwhile" in called("reindex", "--index-only", "--dry-run").out
    assert called("reindex", "--index-only", "--yes").code == 0
    assert ann_index.stands(space)
    assert file_of(space) != before
    assert not Task.objects.pending().exists()
    ann_index.drop(space)


def test_a_small_space_wants_no_index() -> None:
    make_space()
    assert "No space has or needs an index" in called("reindex", "--index-only").out


def test_an_edit_that_overtakes_it_embeds_unchanged_chunks_again_too(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    first, last = "The first passage stays. " * 30, "The last one stays, too. " * 30
    article = make_article("Long", f"{first}\n\n{'In the middle. ' * 60}\n\n{last}")
    drain(worker.pk, seconds=10)
    called("reindex", "--yes")
    provider.config(reset=True)
    claims.claim_due(space, 1, worker.pk, worker.name)
    article.content = f"{first}\n\n{'Another middle. ' * 60}\n\n{last}"
    article.save()
    drain(worker.pk, seconds=10)
    assert article.embeddings.count() > 2
    assert provider.stats()["texts"] == article.embeddings.count()


def test_another_recipe_is_refused_until_it_is_accepted_and_then_replaces_every_vector(
    settings: Settings, worker: Worker, provider: FakeProvider
) -> None:
    settings.EMBEDDING_PROVIDER, settings.EMBEDDING_MODEL = "openai", "fake-embed"
    space = make_space()
    make_article()
    drain(worker.pk, seconds=5)
    settings.EMBEDDING_DOCUMENT_PREFIX = "text: "
    refused = called("reindex", "--yes")
    assert (refused.code, "EMBEDDING_DOCUMENT_PREFIX" in refused.sentence) == (3, True)
    assert called("reindex", "--accept-recipe", "--dry-run").code == 0
    space.refresh_from_db()
    assert not recipes.fits(space), "a dry run changes nothing"
    hash_before = bytes(ArticleEmbedding.objects.get().text_hash)
    assert called("reindex", "--accept-recipe", "--yes", "--reason=new prefixes", "--actor=ada").code == 0
    space.refresh_from_db()
    assert recipes.fits(space)
    row = AuditLog.objects.get(level="warning")
    assert (row.actor, row.metadata["reason"], row.metadata["to"]) == (
        "ada",
        "new prefixes",
        space.fingerprint,
    )
    drain(worker.pk, seconds=5)
    assert bytes(ArticleEmbedding.objects.get().text_hash) != hash_before
