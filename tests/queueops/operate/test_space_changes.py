"""A change of the serving space: what it refuses, and that no edit is lost there and back."""

import threading

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from articles.models import Article
from embeddings.models import ArticleEmbedding, KeptVector, Space
from embeddings.search import search
from embeddings.search.reply import Reply
from embeddings.storage import ann_index, coverage
from queueops.engine import claims, execution
from queueops.engine.enqueue import Reason, enqueue
from queueops.models import AuditLog, Task, Worker
from queueops.operate import space_changes
from queueops.operate.space_changes import described, gate
from queueops.operate.space_states import ChangeRefused, SpaceChange
from queueops.worker.drain import drain
from tests.concurrently import together
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_worker
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_cache")]
WHO = {"actor": "ada", "reason": "a better model"}


def new_space(model: str = "new-model", dimensions: int = 8) -> Space:
    return described("openai", model, dimensions, query_prefix=None, document_prefix=None)


@pytest.fixture
def corpus(space: Space, worker: Worker) -> list[Article]:
    articles = [make_article(f"Article {n}", f"Text number {n}.") for n in range(3)]
    drain(worker.pk, seconds=20)
    return articles


@pytest.fixture
def building(corpus: list[Article]) -> Space:
    found = new_space()
    space_changes.create(found, **WHO)
    return found


def fill(worker: Worker) -> None:
    enqueue(list(Article.objects.values_list("pk", flat=True)), Reason.MIGRATION)
    drain(worker.pk, seconds=20)


def states() -> list[str]:
    return list(Space.objects.order_by("pk").values_list("state", flat=True))


def test_a_new_space_embeds_no_old_text_and_every_new_one(building: Space, worker: Worker) -> None:
    drain(worker.pk, seconds=20)
    assert not building.embeddings.exists()
    article = make_article("Another", "A later text.")
    assert Task.objects.pending().filter(article=article).count() == 2
    drain(worker.pk, seconds=20)
    assert set(building.embeddings.values_list("article", flat=True)) == {article.pk}


def test_one_change_at_a_time(building: Space) -> None:
    with pytest.raises(ChangeRefused, match="is being built"):
        space_changes.create(new_space("a third"), **WHO)


def test_the_same_recipe_is_refused(corpus: list[Article]) -> None:
    found = new_space()
    Space.objects.update(recipe=found.recipe, fingerprint=found.fingerprint)
    with pytest.raises(ChangeRefused, match="same recipe"):
        space_changes.refuse_new(new_space())


@pytest.mark.parametrize("fault", ["500", "401"])
def test_a_provider_that_does_not_respond_is_named(
    corpus: list[Article], provider: FakeProvider, fault: str
) -> None:
    provider.config(fail_next=[fault] * 4)
    with pytest.raises(ChangeRefused, match="does not embed a text"):
        space_changes.probe(new_space())


def test_a_width_that_the_provider_does_not_give_is_refused(
    corpus: list[Article], provider: FakeProvider
) -> None:
    provider.config(ignore_dimensions=True)
    with pytest.raises(ChangeRefused, match="width"):
        space_changes.probe(new_space(dimensions=16))


def test_a_cut_over_waits_for_every_article(building: Space, worker: Worker) -> None:
    found = gate(building, 0)
    assert (found.missing, "3 articles have no vectors" in found.problems[0]) == (3, True)
    assert gate(building, 3).problems == ()
    fill(worker)
    assert gate(building, 0) == space_changes.Gate(0, ())


def test_there_and_back_searches_are_answered_and_no_edit_is_lost(
    building: Space, space: Space, corpus: list[Article], worker: Worker
) -> None:
    fill(worker)
    operation = space_changes.change(SpaceChange.CUT_OVER, building.pk, **WHO)
    assert states() == ["standby", "serving"]
    row = AuditLog.objects.get(operation_id=operation)
    assert (row.actor, row.metadata["reason"], row.metadata["scope"]["change"]) == (
        "ada",
        WHO["reason"],
        "cutover",
    )
    reply = search("Text number 1.")
    assert (reply.space, reply.degraded) == (str(building), False)
    corpus[0].content = "Edited after the cut-over."
    corpus[0].save()
    drain(worker.pk, seconds=20)
    assert coverage.behind(space).count() == coverage.behind(building).count() == 0
    space_changes.change(SpaceChange.ROLL_BACK, space.pk, **WHO)
    assert states() == ["serving", "standby"]
    reply = search("Edited after the cut-over.")
    assert (reply.space, reply.hits[0].slug) == (str(space), corpus[0].slug)


def test_a_search_that_began_before_a_cut_over_ends_in_the_space_it_began_in(
    corpus: list[Article], space: Space, worker: Worker, provider: FakeProvider
) -> None:
    building = described("openai", "wider", 16, query_prefix=None, document_prefix=None)
    space_changes.create(building, **WHO)
    fill(worker)
    provider.config(latency_ms=1_000)
    replies: list[Reply] = []

    def ask() -> None:
        try:
            replies.append(search("Text number 1."))
        finally:
            connection.close()

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: provider.stats()["in_flight"] == 1)
    space_changes.change(SpaceChange.CUT_OVER, building.pk, **WHO)
    asking.join()
    (reply,) = replies
    assert (reply.space, reply.degraded, len(reply.hits)) == (str(space), False, 3)
    assert search("Text number 1.").space == str(building), (
        "no vector of the other space is taken from the cache"
    )


def test_edits_that_wait_rank_as_edits_once_the_space_serves(building: Space) -> None:
    make_article()
    space_changes.change(SpaceChange.CUT_OVER, building.pk, **WHO)
    assert set(Task.objects.pending().values_list("priority", flat=True)) == {"normal"}


def test_of_two_operators_one_changes_the_states(building: Space) -> None:
    def cut_over() -> str:
        try:
            space_changes.change(SpaceChange.CUT_OVER, building.pk, **WHO)
        except ChangeRefused as error:
            return str(error)
        return "done"

    outcomes = sorted(together(2, cut_over))
    assert outcomes[0] == "done"
    assert "is serving" in outcomes[1]
    assert states() == ["standby", "serving"]
    assert AuditLog.objects.filter(metadata__scope__change="cutover").count() == 1


def test_a_change_that_is_rolled_back_leaves_neither_states_nor_audit_row(building: Space) -> None:
    with transaction.atomic():
        space_changes.change(SpaceChange.CUT_OVER, building.pk, **WHO)
        transaction.set_rollback(True)
    assert states() == ["serving", "building"]
    assert not AuditLog.objects.filter(metadata__scope__change="cutover").exists()


def test_a_retired_space_keeps_nothing(building: Space, space: Space, worker: Worker) -> None:
    fill(worker)
    space_changes.change(SpaceChange.CUT_OVER, building.pk, **WHO)
    article = make_article("Late", "It waits for both.")
    KeptVector.objects.create(
        article=article, space=space, text_hash=b"x" * 16, embedding=b"\0" * 36, chunks_to_embed=1
    )
    with connection.cursor() as cursor:
        cursor.execute(ann_index._create_sql(space))
    space_changes.change(SpaceChange.RETIRE, space.pk, **WHO)
    left = space_changes.clear(space)
    assert left.is_nothing
    assert not ArticleEmbedding.objects.filter(space=space).exists()
    assert not KeptVector.objects.filter(space=space).exists()
    assert not Task.objects.live().filter(space=space).exists()
    assert not ann_index.stands(space)
    drain(worker.pk, seconds=20)
    assert building.embeddings.filter(article=article).exists()


def test_only_a_retired_space_is_cleared(space: Space) -> None:
    with pytest.raises(ChangeRefused, match="not retired"):
        space_changes.clear(space)


def test_a_batch_in_work_stores_nothing_in_a_space_that_was_retired(building: Space) -> None:
    make_article()
    claim = claims.claim_due(building, 8, make_worker().pk, "test")
    space_changes.change(SpaceChange.CANCEL, building.pk, **WHO)
    assert space_changes.clear(building).tasks == 1
    execution.execute(claim)
    assert not building.embeddings.exists()
    assert space_changes.clear(building).is_nothing


def test_what_the_settings_send_is_part_of_a_new_spaces_recipe(
    corpus: list[Article], settings: Settings
) -> None:
    settings.EMBEDDING_EXTRA_FIELDS = {"input_type": "passage"}
    found = described("openai", "multilingual-e5-small", 0, query_prefix="", document_prefix="")
    assert (found.dimensions, found.recipe["prefixes"]) == (384, "input_type")
