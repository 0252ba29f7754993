"""The first corpus is watched until no task is left, also while Postgres is being started again."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection

from config.stack import corpus
from config.stack.terminal import Report, SearchableArticles
from embeddings.models import Space
from queueops.models import Status
from tests.queueops.factories import make_space, make_tasks
from tests.queueops.operate.backfill.test_run import embed

pytestmark = pytest.mark.django_db


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def progress(stream: io.StringIO) -> SearchableArticles:
    return SearchableArticles(Report(stream))


@pytest.fixture
def space() -> Space:
    return make_space()


@pytest.mark.parametrize(
    ("status", "is_left"),
    [
        (Status.PENDING, True),
        (Status.PROCESSING, True),
        (Status.COMPLETED, False),
        (Status.FAILED, False),
        (Status.CANCELLED, False),
    ],
)
def test_work_is_left_as_long_as_a_task_waits_or_is_in_work(
    progress: SearchableArticles, space: Space, status: Status, is_left: bool
) -> None:
    make_tasks(1, space, status)
    assert corpus.look(progress) is is_left


def test_what_can_be_found_is_shown(progress: SearchableArticles, stream: io.StringIO, space: Space) -> None:
    tasks = make_tasks(4, space)
    embed([task.article for task in tasks[:2]], space)
    assert corpus.look(progress)
    assert "2 of 4 articles are searchable" in stream.getvalue()


def test_without_a_serving_space_nothing_is_shown(
    progress: SearchableArticles, stream: io.StringIO, space: Space
) -> None:
    Space.objects.update(state="building")
    assert not corpus.look(progress)
    assert stream.getvalue() == ""


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_is_asked_again(progress: SearchableArticles) -> None:
    def away(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        raise OperationalError("the database system is starting up")

    with connection.execute_wrapper(away):
        assert corpus.look(progress)
    assert not corpus.look(progress)
