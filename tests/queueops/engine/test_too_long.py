"""Texts too long for a provider are sent in smaller requests or chunks, and never again unchanged."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from articles.models import Article
from embeddings.models import Space
from queueops.engine import claims, execution
from queueops.engine.results import Settled
from queueops.models import Task, Worker
from tests.providers import FakeProvider
from tests.queueops.factories import make_article, make_space, make_tasks

pytestmark = pytest.mark.django_db
# The provider counts a token for every four characters, we one for three bytes.
SENTENCES = [f"Sentence number {n} says something that no other one says." for n in range(100)]


@pytest.fixture
def space(provider: FakeProvider) -> Space:
    return make_space(chunk_tokens=400)


@pytest.fixture
def run(space: Space, worker: Worker) -> Callable[..., Settled]:
    def claim_and_execute() -> Settled:
        return execution.execute(claims.claim_due(space, 100, worker.pk, worker.name))

    return claim_and_execute


def text_of(article: Article) -> str:
    """The part of the content that its chunks cover, without white space."""
    return "".join(
        "".join(article.content[row.span.lower : row.span.upper].split())
        for row in article.embeddings.order_by("chunk_index")
        if not row.span.isempty
    )


def assert_whole(article: Article) -> None:
    """Its vectors are complete in number and stand for its whole text."""
    rows = list(article.embeddings.order_by("chunk_index"))
    assert [row.chunk_index for row in rows] == list(range(rows[0].chunk_count))
    assert {row.source_hash for row in rows} == {article.content_hash}
    assert text_of(article) == "".join(article.content.split())


@pytest.mark.parametrize(
    ("limit", "sizes"),
    [
        ({"max_inputs": 20}, [64, 20, 20, 20, 4]),  # the server names its limit
        ({"max_inputs": 32}, [64, 32, 32]),
        ({"max_tokens_per_request": 140}, [64, 32, 32]),  # each of the 64 has four or five tokens
        ({"fail_next": ["413"]}, [64, 32, 32]),
    ],
)
def test_a_request_that_is_too_long_is_made_in_halves(
    run: Callable[..., Settled], space: Space, provider: FakeProvider, limit: dict[str, Any], sizes: list[int]
) -> None:
    make_tasks(64, space)
    provider.config(**limit)
    assert run().outcomes == {"embedded": 64}
    stats = provider.stats()
    assert (stats["sizes"], stats["refused_again"], stats["embedded"]) == (sizes, 0, 64)


@pytest.mark.parametrize("most_tokens", [150, 60, 30])
def test_a_chunk_that_is_too_long_for_the_model_is_embedded_in_smaller_ones(
    run: Callable[..., Settled], provider: FakeProvider, most_tokens: int
) -> None:
    article = make_article("A title", " ".join(SENTENCES[:19]))
    provider.config(max_tokens_per_text=most_tokens)
    assert run().outcomes == {"embedded": 1}
    assert_whole(article)
    assert article.embeddings.count() > 1
    assert provider.stats()["refused_again"] == 0


def test_one_such_text_among_many_leaves_the_others_alone(
    run: Callable[..., Settled], space: Space, provider: FakeProvider
) -> None:
    make_tasks(50, space)
    article = make_article("A title", " ".join(SENTENCES[:19]))
    provider.config(max_tokens_per_text=150)
    assert run().outcomes == {"embedded": 51}
    stats = provider.stats()
    assert stats["embedded"] == 50 + article.embeddings.count()  # nothing was paid for twice
    assert (
        stats["requests"] <= 1 + 2 * math.ceil(math.log2(51)) + 1
    )  # found by halves, then once with its pieces
    assert stats["refused_again"] == 0


def test_only_the_chunks_that_were_too_long_become_smaller(
    run: Callable[..., Settled], provider: FakeProvider
) -> None:
    dense = "xxxxxxxx " * 100  # we take it for 300 tokens
    article = make_article(
        "A title", f"{' '.join(SENTENCES[:13])}\n\n{dense}\n\n{' '.join(SENTENCES[13:26])}"
    )
    provider.config(max_tokens_per_text=220)
    run()
    assert_whole(article)
    assert article.embeddings.count() == 4


def test_after_an_edit_elsewhere_the_smaller_chunks_are_used_again(
    run: Callable[..., Settled], provider: FakeProvider
) -> None:
    article = make_article("A title", "\n\n".join(" ".join(SENTENCES[n : n + 19]) for n in (0, 19, 38)))
    provider.config(max_tokens_per_text=200)
    run()
    article.content += "\n\nA new end."
    article.save()
    provider.config()
    run()
    assert_whole(article)
    assert provider.stats()["embedded"] <= 2


def test_two_articles_with_the_same_text_get_the_same_smaller_chunks(
    run: Callable[..., Settled], provider: FakeProvider
) -> None:
    both = [make_article("A title", " ".join(SENTENCES[:19])) for _ in range(2)]
    provider.config(max_tokens_per_text=150)
    assert run().outcomes == {"embedded": 2}
    for article in both:
        assert_whole(article)
    assert provider.stats()["embedded"] == both[0].embeddings.count()


def test_a_text_that_is_refused_however_small_is_parked_with_a_sentence(
    run: Callable[..., Settled], space: Space, provider: FakeProvider
) -> None:
    make_tasks(10, space)
    article = make_article("A title", " ".join(SENTENCES[:19]))
    provider.config(max_tokens_per_text=10)
    assert run().outcomes == {"embedded": 10, "failed": 1}
    task = Task.objects.get(article=article)
    assert (task.status, task.error_class, task.attempts) == ("failed", "too_long", 1)
    assert "even cut down to" in task.error_message
    assert "then requeue the task" in task.error_message
    assert not article.embeddings.exists()
    stats = provider.stats()
    # halves find it; it is then cut five times, and after the first piece that is refused at the floor no more is asked
    assert stats["requests"] <= 2 * math.ceil(math.log2(11)) + 1 + 2 * 5
    assert stats["refused_again"] == 0


def test_a_poisoned_piece_of_a_text_that_is_too_long_parks_it_as_invalid(
    run: Callable[..., Settled], provider: FakeProvider
) -> None:
    article = make_article("A title", " ".join([*SENTENCES[:19], "POISON"]))
    provider.config(max_tokens_per_text=150, poison="POISON")
    assert run().outcomes == {"failed": 1}
    assert Task.objects.get(article=article).error_class == "invalid_input"


def test_an_outage_between_the_pieces_brings_the_task_back(
    run: Callable[..., Settled], provider: FakeProvider
) -> None:
    article = make_article("A title", " ".join(SENTENCES[:19]))
    provider.config(fail_next=["413", "503"])
    assert run().retried == 1
    assert (Task.objects.get().error_class, article.embeddings.exists()) == ("provider_down", False)


def test_pieces_that_are_all_the_same_text_are_sent_once(
    run: Callable[..., Settled], provider: FakeProvider
) -> None:
    article = make_article("-", "ab " * 256)  # its halves are alike, and so are theirs
    provider.config(max_tokens_per_text=50)
    run()
    assert_whole(article)
    assert article.embeddings.count() == 4
    stats = provider.stats()
    assert (stats["sizes"], stats["refused_again"]) == ([1, 1, 1], 0)


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize("others", [0, 5])
def test_a_text_that_is_too_long_is_cut_whatever_the_server_says(
    run: Callable[..., Settled], space: Space, provider: FakeProvider, status: int, others: int
) -> None:
    make_tasks(others, space)
    article = make_article("A title", " ".join(SENTENCES[:19]))
    provider.config(max_tokens_per_text=150, refusal_status=status, vague=True)
    assert run().outcomes == {"embedded": 1 + others}
    assert_whole(article)
    assert article.embeddings.count() > 1


def test_a_text_that_is_too_long_is_cut_even_where_the_exchange_just_ends(
    run: Callable[..., Settled], provider: FakeProvider
) -> None:
    article = make_article("A title", " ".join(SENTENCES[:19]))
    provider.config(max_tokens_per_text=150, cut_too_long=True)
    assert run().outcomes == {"embedded": 1}
    assert_whole(article)


@pytest.mark.parametrize("status", [400, 500])
def test_a_long_text_refused_for_another_reason_costs_few_requests_and_is_charged_alone(
    run: Callable[..., Settled], space: Space, provider: FakeProvider, status: int
) -> None:
    make_tasks(8, space)
    article = make_article("A title", " ".join([*SENTENCES[:19], "POISON"]))
    provider.config(poison="POISON", poison_status=status)
    settled = run()
    assert settled.outcomes["embedded"] == 8
    assert Task.objects.get(article=article).attempts == 1
    assert Task.objects.get(article=article).status == ("failed" if status == 400 else "pending")
    assert provider.stats()["requests"] <= 2 * math.log2(9) + 3 + 12


@pytest.mark.parametrize("vague", [True, False])
def test_a_limit_of_texts_is_remembered(
    run: Callable[..., Settled], space: Space, provider: FakeProvider, vague: bool
) -> None:
    make_tasks(64, space)
    provider.config(max_inputs=10, vague=vague)
    run()
    for number in range(60):
        make_article(f"Other {number}", f"Another text, number {number}.")
    provider.config(reset=True)
    assert run().outcomes == {"embedded": 60}
    assert provider.stats()["sizes"] == [10] * 6
