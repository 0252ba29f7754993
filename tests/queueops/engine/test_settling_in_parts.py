"""A row that alone is refused is found, and holds up no other."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from django.db import DatabaseError, connection

from embeddings.indexing.render import render
from embeddings.models import ArticleEmbedding, Space
from embeddings.storage import vectors
from queueops.engine import claims, execution, settling_in_parts, storage_probe
from queueops.engine.results import Batch, Effort, Success
from queueops.models import AuditLog, Outcome, Task, Worker
from queueops.worker import drain
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_tasks
from tests.queueops.refusing_database import refusing, take_again

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def claim(space: Space, worker: Worker) -> Callable[..., claims.Claim]:
    return lambda: claims.claim_due(space, 100, worker.pk, worker.name)


@pytest.mark.parametrize("sqlstate", ["P0001", "42501", "57014"])
def test_one_text_whose_rows_are_refused_has_the_error_and_the_others_their_vectors(
    claim: Callable[..., claims.Claim], space: Space, sqlstate: str
) -> None:
    tasks = make_tasks(30, space)
    bad = tasks[17]
    with refusing(sqlstate, f"NEW.article_id = {bad.article_id}"):
        settled = execution.execute(claim())
    assert (settled.outcomes["embedded"], settled.retried, settled.lost) == (29, 1, 0)
    waiting = Task.objects.pending().get()
    assert (waiting.pk, waiting.attempts, waiting.error_class) == (bad.pk, 1, "storage_refused")
    assert f"of this text alone ({sqlstate}" in waiting.error_message
    assert not storage_probe.brake.is_on


def test_several_are_each_found(claim: Callable[..., claims.Claim], space: Space) -> None:
    tasks = make_tasks(40, space)
    bad = [tasks[n].article_id for n in (0, 1, 13, 25, 26, 39)]
    with refusing("P0001", f"NEW.article_id IN ({', '.join(map(str, bad))})"):
        assert execution.execute(claim()).outcomes["embedded"] == 34
    assert set(Task.objects.pending().values_list("article_id", flat=True)) == set(bad)


def test_one_refused_text_is_distinguished_from_a_database_that_refuses_all(
    claim: Callable[..., claims.Claim], space: Space
) -> None:
    make_tasks(2, space, "completed")
    bad = make_article()
    with refusing("P0001", f"NEW.article_id = {bad.pk}"):
        assert execution.execute(claim()).retried == 1
    assert Task.objects.pending().get().attempts == 1
    assert not storage_probe.brake.is_on


def test_it_is_parked_after_its_last_attempt_and_paid_for_once(
    space: Space, worker: Worker, provider: FakeProvider
) -> None:
    bad, good = make_article("Bad"), make_article("Good")
    with refusing("23514", f"NEW.article_id = {bad.pk}"):
        for _ in range(3):
            Task.objects.update(scheduled_at="2020-01-01T00:00Z")
            drain.drain(worker.pk, seconds=5)
    assert Task.objects.get(article=good).status == "completed"
    parked = Task.objects.get(article=bad)
    assert (parked.status, parked.attempts, parked.error_class) == ("failed", 3, "storage_refused")
    assert "23514 refused by a check constraint" in AuditLog.objects.get(task_id=parked.pk).message
    assert provider.stats()["texts"] == 2


def test_many_texts_that_are_all_refused_are_not_at_fault(
    claim: Callable[..., claims.Claim], space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the row that the database was asked with would have been taken."""
    make_tasks(8, space)
    monkeypatch.setattr(execution, "_DEADLINE_SECONDS", 0.1)
    monkeypatch.setattr(execution, "_HELD_SECONDS", 0.1)
    make_tasks(1, space, "completed")
    with refusing("P0001", "NEW.chunk_index = 0"):
        assert execution.execute(claim()).retried == 8
    assert set(Task.objects.pending().values_list("attempts", flat=True)) == {0}
    assert not ArticleEmbedding.objects.exists()


def embedded(claim: claims.Claim, space: Space) -> Batch:
    """A claim whose texts are all embedded, to be settled."""
    rendered = [render(space, task.source) for task in claim.tasks]
    results = [
        Success(task, each, Outcome.EMBEDDED) for task, each in zip(claim.tasks, rendered, strict=True)
    ]
    (vector,) = vectors.to_wire(np.ones((1, space.dimensions), dtype=np.float32))
    by_hash = {text_hash: vector for each in rendered for text_hash in each.hashes}
    return Batch(claim, results, by_hash, Effort())


REFUSING_FROM_TO = """
CREATE SEQUENCE rows_seen;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF {which} THEN RAISE 'not now' USING ERRCODE = 'P0001'; END IF;
    RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON article_embeddings FOR EACH ROW EXECUTE FUNCTION refuse()
"""


@pytest.fixture
def refuse_rows() -> Iterator[Callable[..., None]]:
    """Refuses which rows, by how many were seen; sequences do not roll back."""

    def refuse(which: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(REFUSING_FROM_TO.format(which=which))

    yield refuse
    take_again()
    with connection.cursor() as cursor:
        cursor.execute("DROP SEQUENCE IF EXISTS rows_seen")


def test_a_database_that_refuses_all_rows_is_not_searched_for_a_text_at_fault(
    claim: Callable[..., claims.Claim], refuse_rows: Callable[..., None], space: Space
) -> None:
    make_tasks(7, space)
    make_tasks(1, space, "completed")
    refuse_rows("nextval('rows_seen') > 0")
    with pytest.raises(DatabaseError):
        settling_in_parts.settle(embedded(claim(), space))
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM rows_seen")
        assert cursor.fetchone() == (2,), "the batch's first row, and one of another article"


def test_what_is_refused_until_the_search_is_half_done_is_no_text_of_the_first_half(
    claim: Callable[..., claims.Claim], space: Space, refuse_rows: Callable[..., None]
) -> None:
    make_tasks(16, space)
    make_tasks(1, space, "completed")
    refuse_rows("NEW.chunk_index = 0 AND nextval('rows_seen') <= 9")
    assert execution.execute(claim()).outcomes == {"embedded": 16}
    assert set(Task.objects.filter(outcome="embedded").values_list("attempts", flat=True)) == {1}


def test_what_is_refused_from_the_midst_of_the_search_on_is_no_text_of_the_second_half(
    claim: Callable[..., claims.Claim],
    space: Space,
    refuse_rows: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(execution, "_DEADLINE_SECONDS", 0.1)
    monkeypatch.setattr(execution, "_HELD_SECONDS", 0.1)
    tasks = make_tasks(16, space)
    make_tasks(1, space, "completed")
    refuse_rows(f"NEW.article_id = {tasks[0].article_id} OR nextval('rows_seen') > 12")
    execution.execute(claim())
    assert set(Task.objects.pending().values_list("attempts", flat=True)) == {0}


def test_the_row_that_the_database_is_asked_with_leaves_nothing_behind(space: Space) -> None:
    make_tasks(1, space)
    assert storage_probe.refusal_of_a_row(space) is None
    with refusing("53100"):
        refusal = storage_probe.refusal_of_a_row(space)
    assert refusal is not None
    assert refusal.reason == "53100 disk full"
    assert not ArticleEmbedding.objects.exists()


def test_without_another_article_there_is_nothing_to_ask_with(space: Space) -> None:
    (task,) = make_tasks(1, space)
    with refusing("53100"):
        assert storage_probe.refusal_of_a_row(space, [task.article_id]) is None
