"""From a claim to vectors, and claims during which something changes or fails."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from embeddings.indexing import provider_pace
from embeddings.models import ArticleEmbedding, Space
from embeddings.providers.registry import provider_of
from queueops.engine import claims, execution
from queueops.engine.results import Settled
from queueops.models import AuditLog, Metric, ProviderState, Status, Task, Worker
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_tasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(space: Space, worker: Worker) -> Callable[..., Settled]:
    """Claims due tasks and executes them."""

    def claim_and_execute(size: int = 100) -> Settled:
        return execution.execute(claims.claim_due(space, size, worker.pk, worker.name))

    return claim_and_execute


@pytest.fixture
def claim(space: Space, worker: Worker) -> Callable[..., claims.Claim]:
    return lambda size=100: claims.claim_due(space, size, worker.pk, worker.name)


def test_a_claimed_article_gets_the_vectors_of_its_text(
    run: Callable[..., Settled], space: Space, provider: FakeProvider
) -> None:
    article = make_article("Zip files", "How to read a zip file.")
    settled = run()
    (row,) = ArticleEmbedding.objects.all()
    assert (row.article_id, row.space_id, row.chunk_index, row.chunk_count) == (article.pk, space.pk, 0, 1)
    assert (row.source_version, row.source_hash) == (1, article.content_hash)
    assert (row.span.lower, row.span.upper) == (0, len(article.content))
    assert len(row.embedding) == 8
    task = Task.objects.get()
    assert (task.status, task.outcome, task.claim_token, task.lease_expires_at) == (
        "completed",
        "embedded",
        None,
        None,
    )
    assert task.completed_at is not None
    assert settled.outcomes == {"embedded": 1}
    assert provider.stats()["requests"] == 1


def test_a_batch_is_one_request(run: Callable[..., Settled], space: Space, provider: FakeProvider) -> None:
    make_tasks(60, space)
    assert run().outcomes == {"embedded": 60}
    stats = provider.stats()
    assert (stats["requests"], stats["texts"]) == (1, 60)
    assert ArticleEmbedding.objects.count() == 60


def test_the_first_request_of_a_process_is_small_and_the_next_takes_the_rest(
    run: Callable[..., Settled], space: Space, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_pace, "FIRST_TOKENS", 256)
    make_tasks(60, space)
    assert run().outcomes == {"embedded": 60}
    sizes = provider.stats()["sizes"]
    assert len(sizes) == 2
    assert sizes[0] <= 256 * 3 / len("Bulk 10\n\nText 10.")


def test_text_that_has_a_vector_is_not_paid_for_again(
    run: Callable[..., Settled], provider: FakeProvider
) -> None:
    article = make_article("A title", "First text.")
    run()
    other = make_article("A title", "First text.")
    provider.config(reset=True)
    assert run().outcomes == {"unchanged": 1}
    assert provider.stats()["requests"] == 0
    assert list(other.embeddings.get().embedding) == list(article.embeddings.get().embedding)


def test_the_same_text_twice_in_a_batch_is_sent_once(
    run: Callable[..., Settled], provider: FakeProvider
) -> None:
    make_article("Same", "The same text.")
    make_article("Same", "The same text.")
    run()
    assert provider.stats()["texts"] == 1
    assert ArticleEmbedding.objects.count() == 2


def test_after_an_edit_of_a_long_article_only_the_changed_chunks_are_sent(
    run: Callable[..., Settled], provider: FakeProvider
) -> None:
    paragraphs = [f"Paragraph {n} says something of its own. " * 12 for n in range(8)]
    article = make_article("Long", "\n\n".join(paragraphs))
    run()
    chunks = article.embeddings.count()
    assert chunks > 3
    article.content = "\n\n".join([*paragraphs[:-1], "A new end."])
    article.save()
    provider.config(reset=True)
    run()
    assert 1 <= provider.stats()["texts"] < chunks
    rows = article.embeddings.order_by("chunk_index")
    assert [row.chunk_index for row in rows] == list(range(rows[0].chunk_count))
    assert {row.source_version for row in rows} == {2}


@pytest.mark.parametrize("content", ["", "   \n\t "])
def test_an_article_without_text_ends_as_empty_at_no_cost(
    run: Callable[..., Settled], provider: FakeProvider, content: str
) -> None:
    article = make_article("Only a title", content)
    assert run().outcomes == {"empty": 1}
    row = article.embeddings.get()
    assert (row.chunk_count, row.embedding, row.source_hash) == (0, None, article.content_hash)
    assert provider.stats()["requests"] == 0


def test_emptying_an_article_removes_its_vectors(run: Callable[..., Settled]) -> None:
    article = make_article()
    run()
    article.content = " "
    article.save()
    run()
    assert [row.embedding for row in article.embeddings.all()] == [None]


def test_an_edit_in_flight_makes_the_older_result_superseded(claim: Callable[..., claims.Claim]) -> None:
    article = make_article()
    held = claim()
    article.content = "Newer text."
    article.save()
    assert execution.execute(held).outcomes == {"superseded": 1}
    assert not article.embeddings.exists()
    assert execution.execute(claim()).outcomes == {"embedded": 1}
    assert article.embeddings.get().source_version == 2


def test_a_delete_in_flight_leaves_nothing_behind(claim: Callable[..., claims.Claim]) -> None:
    article, other = make_article(), make_article()
    held = claim()
    article.delete()
    settled = execution.execute(held)
    assert (settled.lost, settled.outcomes) == (1, {"embedded": 1})
    assert {row.article_id for row in ArticleEmbedding.objects.all()} == {other.pk}


@pytest.mark.parametrize("status", ["failed", "cancelled", "pending"])
def test_a_status_set_by_plain_sql_in_flight_is_not_overwritten(
    claim: Callable[..., claims.Claim], status: str
) -> None:
    article = make_article()
    held = claim()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE embedding_tasks SET status = %s, error_message = 'by hand'", [status])
    assert execution.execute(held).lost == 1
    task = Task.objects.get()
    assert (task.status, task.error_message) == (status, "by hand")
    assert not article.embeddings.exists()


def test_a_worker_that_lost_its_lease_changes_nothing(
    claim: Callable[..., claims.Claim], space: Space, worker: Worker
) -> None:
    article = make_article()
    zombie = claim()
    Task.objects.update(status=Status.PENDING)  # the lease ended and the task went back
    rightful = claim()
    assert execution.execute(zombie).lost == 1
    assert Task.objects.get().status == "processing"
    assert execution.execute(rightful).outcomes == {"embedded": 1}
    assert article.embeddings.count() == 1


def test_one_bad_text_fails_alone_and_the_others_keep_their_vectors(
    run: Callable[..., Settled], provider: FakeProvider
) -> None:
    for n in range(20):
        make_article(f"Title {n}", f"Text {n}.")
    bad = make_article("Bad", "This one holds POISON inside.")
    provider.config(poison="POISON")
    settled = run()
    requests = settled.effort.requests
    assert settled.outcomes == {"embedded": 20, "failed": 1}
    task = Task.objects.get(article=bad)
    assert (task.status, task.outcome, task.error_class) == ("failed", "failed", "invalid_input")
    assert "POISON" not in task.error_message
    assert AuditLog.objects.get(level="error").task_id == task.pk
    assert requests <= 2 * 5 + 1  # the whole, then two halves for each of log2(21) splits


@pytest.mark.parametrize(
    ("fault", "status", "error_class", "attempts"),
    [
        ("500", "pending", "transient", 1),
        ("short", "pending", "transient", 1),
        ("nan", "pending", "transient", 1),
        ("zero", "pending", "transient", 1),
        ("html", "pending", "transient", 1),
        ("cut", "pending", "provider_lost", 1),
        ("429", "pending", "rate_limited", 0),
        ("401", "pending", "auth", 0),
        ("402", "pending", "auth", 0),
    ],
)
def test_each_fault_leads_where_its_class_says(
    run: Callable[..., Settled],
    provider: FakeProvider,
    fault: str,
    status: str,
    error_class: str,
    attempts: int,
) -> None:
    article = make_article()
    provider.config(fail_next=[fault])
    assert run().retried == 1
    task = Task.objects.get()
    assert (task.status, task.error_class, task.attempts) == (status, error_class, attempts)
    assert task.processed_at is not None
    # an error of this batch is tried again later; where the provider decides, the task keeps its place in line
    assert (task.scheduled_at > task.processed_at) == (attempts > 0)
    assert task.error_message
    assert not article.embeddings.exists()


def test_an_answer_in_another_order_is_put_right(run: Callable[..., Settled], provider: FakeProvider) -> None:
    articles = [make_article(f"Title {n}", f"Entirely different words {n}.") for n in range(5)]
    run()
    straight = {a.pk: list(a.embeddings.get().embedding) for a in articles}
    ArticleEmbedding.objects.all().delete()
    Task.objects.update(status=Status.PENDING)
    provider.config(fail_next=["reordered"])
    run()
    assert {a.pk: list(a.embeddings.get().embedding) for a in articles} == straight


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize("count", [1, 5])
def test_a_server_that_refuses_base64_with_any_status_embeds_at_the_first_attempt(
    run: Any, provider: Any, status: int, count: int
) -> None:
    for number in range(count):
        make_article(f"Article {number}", f"Text {number}.")
    provider.config(refuse_fields=["encoding_format"], refusal_status=status, vague=True)
    assert run().outcomes == {"embedded": count}
    assert set(Task.objects.values_list("status", "attempts")) == {("completed", 1)}


def test_a_wrong_width_charges_no_text(run: Any, provider: FakeProvider) -> None:
    make_article()
    provider.config(ignore_dimensions=True, dimensions=9)
    try:
        assert run().retried == 1
    finally:
        provider.config(dimensions=8)
    task = Task.objects.get()
    assert (task.status, task.attempts, task.error_class) == ("pending", 0, "provider_down")
    assert "8 wanted, 9 came" in task.error_message


def test_a_task_is_parked_with_its_reason_once_its_attempts_are_spent(
    run: Callable[..., Settled], provider: FakeProvider, settings: Settings
) -> None:
    settings.EMBEDDING_MAX_RETRIES = 2
    make_article()
    provider.config(fail_next=["500"] * 6)  # those of the text, of the probe text, and of its other forms
    assert run().retried == 1
    Task.objects.update(scheduled_at="2000-01-01T00:00Z")
    assert run().failed == 1
    task = Task.objects.get()
    assert (task.status, task.attempts, task.error_class) == ("failed", 2, "transient")
    assert "500" in task.error_message


def test_a_failure_with_a_newer_task_waiting_ends_as_superseded(
    claim: Callable[..., claims.Claim], provider: FakeProvider
) -> None:
    article = make_article()
    held = claim()
    article.content = "Newer."
    article.save()
    provider.config(fail_next=["500"])
    assert execution.execute(held).outcomes == {"superseded": 1}
    assert sorted(Task.objects.values_list("status", "outcome")) == [
        ("completed", "superseded"),
        ("pending", ""),
    ]


def test_a_batch_leaves_one_audit_row_and_a_row_for_each_number(
    run: Callable[..., Settled], space: Space
) -> None:
    make_tasks(5, space)
    run()
    assert AuditLog.objects.get().metadata == {"embedded": 5, "space": space.pk}
    numbers = dict(Metric.objects.values_list("name", "value"))
    assert (numbers["batch_tasks"], numbers["provider_requests"], numbers["provider_texts"]) == (5, 1, 5)


def test_a_provider_that_nobody_runs_charges_no_attempt(
    run: Callable[..., Settled], settings: Settings
) -> None:
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9"
    make_article()
    assert run().retried == 1
    task = Task.objects.get()
    assert (task.error_class, task.attempts) == ("provider_down", 0)


@pytest.fixture
def in_packs(space: Space, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """From now on a request carries at most so many texts."""
    provider = provider_of(space)
    return lambda size: monkeypatch.setattr(provider, "limits", replace(provider.limits, max_inputs=size))


def states() -> list[tuple[str, int]]:
    return list(Task.objects.order_by("id").values_list("status", "attempts"))


def test_what_the_deadline_leaves_unasked_waits_uncharged_until_all_is_embedded(
    claim: Callable[..., claims.Claim], space: Space, provider: FakeProvider, in_packs: Callable[..., None]
) -> None:
    make_tasks(12, space)
    in_packs(2)
    provider.config(latency_ms=300)
    batches = 0
    while Task.objects.pending().exists():
        execution.execute(claim(), deadline=1.2)
        batches += 1
        assert Task.objects.pending().exclude(attempts=0).count() == 0
    assert batches > 1
    assert set(states()) == {("completed", 1)}


def test_a_text_that_its_provider_hangs_over_is_charged_and_what_came_after_it_is_not(
    claim: Callable[..., claims.Claim], space: Space, provider: FakeProvider, in_packs: Callable[..., None]
) -> None:
    make_tasks(3, space)
    in_packs(1)
    provider.config(fail_next=["reordered", "hang"])
    execution.execute(claim(), deadline=2.5)
    assert sorted(states()) == [("completed", 1), ("pending", 0), ("pending", 1)]
    assert not ProviderState.objects.exclude(failures=0).exists()


def test_an_article_too_long_for_the_deadline_is_not_charged_and_what_is_short_is_complete(
    claim: Callable[..., claims.Claim], space: Space, provider: FakeProvider, in_packs: Callable[..., None]
) -> None:
    make_article("Long", "\n\n".join(f"Paragraph {n} says something of its own. " * 15 for n in range(20)))
    make_article("Short", "A short text.")
    in_packs(1)
    provider.config(latency_ms=300)
    execution.execute(claim(), deadline=1.2)
    assert states() == [("pending", 0), ("completed", 1)]


def test_a_provider_of_which_nothing_came_before_the_deadline_charges_all(
    claim: Callable[..., claims.Claim], space: Space, provider: FakeProvider, in_packs: Callable[..., None]
) -> None:
    make_tasks(3, space)
    in_packs(1)
    provider.config(fail_next=["hang"])
    execution.execute(claim(), deadline=0.5)
    assert set(states()) == {("pending", 1)}
    assert ProviderState.objects.get().failures == 1


def test_a_refused_text_that_is_alone_in_its_batch_is_parked(
    run: Callable[..., Settled], provider: FakeProvider
) -> None:
    make_article("Bad", "POISON")
    provider.config(poison="POISON")
    assert run().outcomes == {"failed": 1}
    assert Task.objects.get().error_class == "invalid_input"


def test_a_harmless_text_that_the_budget_leaves_unasked_charges_nobody(
    claim: Callable[..., claims.Claim], space: Space, provider: FakeProvider, settings: Settings
) -> None:
    settings.EMBEDDING_REQUESTS_PER_MINUTE = 1
    make_tasks(3, space)
    provider.config(fail_next=["500"])
    execution.execute(claim(), deadline=5)
    assert set(states()) == {("pending", 0)}
    assert ProviderState.objects.get().failures == 0
