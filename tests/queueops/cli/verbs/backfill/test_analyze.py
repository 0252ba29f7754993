"""`embed_migrate analyze`: what is there and what it would take; nothing is changed."""

import pytest
from pytest_django import Settings

from embeddings.models import Space
from queueops.models import Operation, Task
from tests.queueops.cli_runner import embed_migrate
from tests.queueops.factories import make_space, make_tasks
from tests.queueops.operate.backfill.test_run import embed, make_corpus

pytestmark = pytest.mark.django_db


@pytest.fixture
def space() -> Space:
    return make_space()


def test_it_counts_and_changes_nothing(space: Space) -> None:
    articles = make_corpus(5)
    embed(articles[:2], space)
    called = embed_migrate("analyze")
    assert called.code == 0
    assert "The mode is queued." in called.out
    assert "3 articles to queue: " in called.out
    assert "manage.py embed_migrate run" in called.out
    assert not Task.objects.exists()
    assert not Operation.objects.exists()


def test_a_corpus_that_is_embedded_needs_nothing(space: Space) -> None:
    embed(make_corpus(2), space)
    reply = embed_migrate("analyze", "--json").json
    assert (reply["total"], reply["parked"], reply["mode"]) == (0, 0, "queued")
    assert "Every matching article is embedded or queued." in embed_migrate("analyze").out


@pytest.mark.parametrize(
    ("words", "total"),
    [
        ([], 4),
        (["--filter=old-00"], 4),
        (["--filter=none"], 0),
        (["--limit=3"], 3),
        (["--stage=50%"], 2),
    ],
)
def test_its_filter_is_that_of_a_run(space: Space, words: list[str], total: int) -> None:
    make_corpus(4)
    assert embed_migrate("analyze", *words, "--json").json["total"] == total


def test_articles_whose_task_failed_are_counted_apart(space: Space) -> None:
    make_corpus(1)
    make_tasks(2, space, "failed")
    reply = embed_migrate("analyze", "--json").json
    assert (reply["total"], reply["parked"]) == (1, 2)
    assert embed_migrate("analyze", "--only-failed", "--json").json["total"] == 2


def test_the_mode_in_force_is_named(space: Space, settings: Settings) -> None:
    settings.EMBEDDING_QUEUE_ENABLED = False
    assert embed_migrate("analyze", "--json").json["mode"] == "synchronous"


@pytest.mark.parametrize("words", [["--limit=0"], ["--stage=0"], ["--stage=x"], ["--yes"]])
def test_an_unknown_option_is_refused(space: Space, words: list[str]) -> None:
    assert embed_migrate("analyze", *words).code != 0
