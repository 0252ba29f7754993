"""Figures beyond the snapshot: which tasks and samples count, and that counting is bounded.

How the shell tells them is in cli/verbs/test_status.py.
"""

from datetime import timedelta

import pytest
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from queueops.models import Metric, Status, Task
from queueops.monitoring import statistics
from queueops.monitoring.statistics import Durations
from tests.queueops.factories import make_article, make_space, make_tasks, make_worker

pytestmark = pytest.mark.django_db


def ago(**span: float) -> CombinedExpression:
    return Now() - timedelta(**span)


def test_an_empty_queue_has_zeros_and_no_durations() -> None:
    make_space()
    found = statistics.breakdown()
    assert found.pending_by_priority == {"high": 0, "normal": 0, "low": 0}
    assert (found.failed_by_error, found.seconds_per_task) == ({}, Durations(0, None, None, None))


def test_priorities_are_shown_best_first_and_counted_over_all_spaces() -> None:
    first = make_space()
    other = type(first).objects.create(
        version=101, provider="ollama", model="m", dimensions=8, chunk_tokens=200
    )
    make_tasks(1, first, priority="low")
    make_tasks(2, first, priority="high")
    article = make_article()
    Task.objects.filter(article=article, space=first).delete()
    assert Task.objects.get(article=article).space == other
    assert list(statistics.breakdown().pending_by_priority.items()) == [
        ("high", 2),
        ("normal", 0),
        ("low", 2),  # the edit waits for a space that is being built
    ]


def test_counting_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "COUNT_LIMIT", 2)
    make_tasks(5, make_space())
    assert statistics.breakdown().pending_by_priority["normal"] == 2


def test_durations_are_of_attempts_that_completed_within_the_hour() -> None:
    space = make_space()
    for seconds, ended in ((1, ago(minutes=5)), (2, ago(minutes=59)), (6, ago(seconds=1))):
        begun = ended - timedelta(seconds=seconds)
        make_tasks(1, space, Status.COMPLETED, priority=("low", "normal", "high")[seconds % 3], processed_at=begun,
                   completed_at=ended)  # fmt: skip
    make_tasks(1, space, Status.FAILED, processed_at=ago(minutes=9), completed_at=ago(minutes=1))
    found = statistics.breakdown().seconds_per_task
    assert (found.tasks, found.average, found.p50) == (3, 3.0, 2.0)
    assert found.p95 == pytest.approx(5.6)


def test_tasks_that_ended_long_ago_or_ahead_of_now_have_no_duration() -> None:
    space = make_space()
    make_tasks(1, space, Status.COMPLETED, processed_at=ago(hours=2), completed_at=ago(minutes=61))
    make_tasks(1, space, Status.COMPLETED, processed_at=Now(), completed_at=ago(hours=-1), priority="low")
    assert statistics.breakdown().seconds_per_task.tasks == 0


def test_the_newest_durations_count_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "COUNT_LIMIT", 1)
    space = make_space()
    make_tasks(1, space, Status.COMPLETED, processed_at=ago(minutes=9), completed_at=ago(minutes=8))
    make_tasks(
        1, space, Status.COMPLETED, processed_at=ago(seconds=5), completed_at=ago(seconds=3), priority="low"
    )
    assert statistics.breakdown().seconds_per_task.average == 2.0


def measure(name: str, *samples: tuple[float, CombinedExpression]) -> None:
    Metric.objects.bulk_create(Metric(name=name, value=value, timestamp=at) for value, at in samples)


def test_without_samples_there_are_no_time_series() -> None:
    assert statistics.courses(timedelta(hours=1)) == []


def test_each_number_has_its_course_over_the_span_by_name() -> None:
    measure("b", (4.0, ago(minutes=1)), (2.0, ago(minutes=2)), (9.0, ago(minutes=61)))
    measure("a", (-1.0, ago(seconds=1)))
    first, second = statistics.courses(timedelta(hours=1))
    assert (first.name, first.samples, first.sum, first.last) == ("a", 1, -1.0, -1.0)
    assert (second.samples, second.average, second.least, second.most, second.sum, second.last) == (
        2, 3.0, 2.0, 4.0, 6.0, 4.0,
    )  # fmt: skip


def test_a_sample_ahead_of_now_is_neither_counted_nor_the_newest() -> None:
    measure("a", (1.0, ago(minutes=1)), (100.0, ago(minutes=-5)))
    measure("only ahead", (1.0, ago(minutes=-5)))
    [found] = statistics.courses(timedelta(hours=1))
    assert (found.name, found.samples, found.last) == ("a", 1, 1.0)


def test_a_number_that_was_not_measured_lately_has_its_newest_sample_alone() -> None:
    measure("a", (7.0, ago(days=3)), (8.0, ago(days=2)))
    [found] = statistics.courses(timedelta(hours=1))
    assert (found.samples, found.average, found.sum, found.last) == (0, None, None, 8.0)


def test_of_many_samples_the_newest_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "COUNT_LIMIT", 2)
    measure("a", (1.0, ago(minutes=3)), (2.0, ago(minutes=2)), (4.0, ago(minutes=1)))
    [found] = statistics.courses(timedelta(hours=1))
    assert (found.samples, found.sum) == (2, 6.0)


def test_workers_are_shown_those_seen_last_first() -> None:
    silent = make_worker(name="silent", last_seen_at=ago(minutes=5), is_running=False)
    fresh = make_worker(name="", last_claim_at=ago(seconds=30), tasks_done=4, tasks_failed=1)
    first, second = statistics.workers(10)
    assert (first.id, first.name, first.is_running) == (fresh.pk, f"row {fresh.pk}, of no process", True)
    assert (first.tasks_done, first.tasks_failed) == (4, 1)
    assert first.claimed_ago == pytest.approx(30, abs=5)
    assert (second.id, second.is_running, second.claimed_ago) == (silent.pk, False, None)
    assert second.seen_ago == pytest.approx(300, abs=5)
    assert [worker.id for worker in statistics.workers(1)] == [fresh.pk]
    assert statistics.workers(0) == []
