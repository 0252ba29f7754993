"""Workers take due tasks, best first, each task one worker's."""

import threading
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django import Settings

from embeddings.models import Space
from queueops.engine import claim_statements, claims
from queueops.engine.claims import Room
from queueops.maintenance import reaper
from queueops.models import QueueState, Status, Task, Worker
from tests.queueops.factories import make_article, make_space, make_tasks, make_worker, plan_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def space() -> Space:
    return make_space()


def claim(space: Space, size: int = 10, worker: Worker | None = None) -> claims.Claim:
    worker = worker or make_worker()
    return claims.claim_due(space, size, worker.pk, worker.name)


def test_a_claim_takes_the_task_and_reads_its_text(space: Space, settings: Settings) -> None:
    settings.EMBEDDING_WORKER_TIMEOUT = 60_000
    (task,) = make_tasks(1, space)
    found = claim(space)
    (claimed,) = found.tasks
    assert (claimed.task_id, claimed.attempts, claimed.source.content) == (task.pk, 1, "Text 0.")
    task.refresh_from_db()
    assert (task.status, task.attempts, task.claim_token, task.claimed_by) == (
        "processing",
        1,
        found.token,
        "test",
    )
    assert task.lease_expires_at is not None
    assert task.processed_at is not None
    lease = task.lease_expires_at - task.processed_at
    assert timedelta(seconds=60) <= lease < timedelta(seconds=61)


def test_better_ranks_go_first_and_older_ones_first_within_a_rank(space: Space) -> None:
    low, high, normal = (make_tasks(2, space, priority=p) for p in ("low", "high", "normal"))
    order = [claim(space, 1).tasks[0].task_id for _ in range(6)]
    assert order == [t.pk for t in [*high, *normal, *low]]


def test_tasks_that_wait_for_a_later_try_are_not_taken(space: Space) -> None:
    make_tasks(3, space, scheduled_at=Now() + timedelta(minutes=1))
    assert claim(space).tasks == []


def test_a_claim_takes_no_more_than_asked_for_and_says_whether_it_was_full(space: Space) -> None:
    make_tasks(5, space, priority="high")
    make_tasks(5, space)
    first, second = claim(space, 7), claim(space, 7)
    assert (len(first.tasks), first.is_full, len(second.tasks), second.is_full) == (7, True, 3, False)


def test_old_tasks_of_a_low_rank_get_their_share_before_fresh_ones(space: Space) -> None:
    old = make_tasks(5, space, priority="low", scheduled_at=Now() - timedelta(minutes=6))
    make_tasks(40, space, priority="high")
    taken = {task.task_id for task in claim(space, 20).tasks}
    assert len(taken & {task.pk for task in old}) in (2, 3)  # a tenth of twenty, the fraction drawn


@pytest.mark.parametrize("minutes", [0, 10])
def test_a_paused_queue_gives_nothing_however_long_it_has_waited(space: Space, minutes: int) -> None:
    make_tasks(1, space, scheduled_at=Now() - timedelta(minutes=minutes))
    QueueState.objects.update_or_create(pk=1, defaults={"is_paused": True})
    assert claim(space).tasks == []


def test_a_worker_whose_row_says_it_shall_not_run_gets_nothing(space: Space) -> None:
    make_tasks(1, space)
    with connection.cursor() as cursor:
        stopped = make_worker()
        cursor.execute("UPDATE embedding_worker_status SET is_running = false")
    assert claim(space, worker=stopped).tasks == []
    assert len(claim(space, worker=make_worker()).tasks) == 1


@pytest.mark.parametrize(
    ("row", "stops_all"), [("1, 'host:7'", True), ("7007, ''", True), ("7007, 'host:7'", False)]
)
def test_row_1_or_a_row_of_no_process_stops_every_worker(space: Space, row: str, stops_all: bool) -> None:
    make_tasks(1, space)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO embedding_worker_status (id, name, is_running) VALUES ({row}, false)")
    assert bool(claim(space, worker=make_worker()).tasks) is not stops_all


def test_a_worker_without_a_row_gets_nothing(space: Space) -> None:
    make_tasks(1, space)
    assert claims.claim_due(space, 10, 0, "ghost").tasks == []


def test_another_spaces_tasks_are_left_alone(space: Space) -> None:
    make_tasks(1, space)
    other = Space.objects.create(version=101, provider="openai", model="b", dimensions=4, chunk_tokens=9)
    assert claim(other).tasks == []


def test_a_claim_for_articles_takes_their_tasks_even_when_they_are_not_due(space: Space) -> None:
    tasks = make_tasks(3, space, scheduled_at=Now() + timedelta(hours=1))
    found = claims.claim_of_articles(space, [tasks[0].article_id, tasks[2].article_id], "request")
    assert {task.task_id for task in found.tasks} == {tasks[0].pk, tasks[2].pk}


@pytest.mark.django_db(transaction=True)
def test_workers_that_claim_at_once_never_share_a_task() -> None:
    space = make_space()
    make_tasks(300, space)
    workers = [make_worker() for _ in range(4)]
    taken: Counter[int] = Counter()
    start = threading.Barrier(len(workers))

    def work(worker: Worker) -> None:
        start.wait()
        try:
            while tasks := claims.claim_due(space, 7, worker.pk, worker.name).tasks:
                taken.update(task.task_id for task in tasks)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[worker]) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 300
    assert set(taken.values()) == {1}
    assert not Task.objects.exclude(status=Status.PROCESSING, attempts=1).exists()


def lose(token: UUID) -> None:
    """The worker that held these was killed, and the sweep came by."""
    Task.objects.filter(claim_token=token).update(lease_expires_at=Now() - timedelta(seconds=1))
    reaper.return_expired()


def test_tasks_lost_with_a_worker_are_tried_in_small_batches(space: Space) -> None:
    make_tasks(40, space)
    worker = make_worker()
    sizes = []
    for _ in range(2):
        held = claim(space, size=40, worker=worker)
        assert held.is_full
        sizes.append(len(held.tasks))
        lose(held.token)
    assert sizes == [40, 16]


def test_the_trial_grows_as_its_caller_says(space: Space) -> None:
    make_tasks(40, space)
    Task.objects.update(error_class="worker_lost", losses=1)
    worker = make_worker()
    assert len(claims.claim_due(space, 40, worker.pk, worker.name, lost_together=30).tasks) == 30


def test_a_task_that_lost_two_workers_is_skipped_and_delays_nothing_behind_it(space: Space) -> None:
    make_tasks(20, space, priority="high")
    Task.objects.update(error_class="worker_lost", losses=2)
    fresh = make_tasks(3, space)
    assert {task.task_id for task in claim(space, size=10).tasks} == {task.pk for task in fresh}


def on_trial(space: Space, size: int = 1, worker: Worker | None = None) -> claims.Claim:
    worker = worker or make_worker()
    return claims.claim_on_trial(space, size, worker.pk, worker.name)


def test_the_task_that_lost_most_workers_is_tried_first_by_one_process_at_a_time(space: Space) -> None:
    _twice, thrice = make_tasks(2, space)
    Task.objects.update(error_class="worker_lost", losses=2)
    Task.objects.filter(pk=thrice.pk).update(losses=3)
    assert claims.is_trial_due(space)
    held = on_trial(space)
    assert [task.task_id for task in held.tasks] == [thrice.pk]
    assert on_trial(space).tasks == []
    reaper.release_held("test")
    assert len(on_trial(space, 2).tasks) == 2


@pytest.mark.parametrize("stopped", ["pause", "worker", "budget", "later"])
def test_a_trial_heeds_the_brakes(space: Space, stopped: str) -> None:
    make_tasks(1, space, priority="low")
    Task.objects.update(error_class="worker_lost", losses=2)
    QueueState.objects.update_or_create(pk=1, defaults={"is_paused": stopped == "pause"})
    if stopped == "later":
        Task.objects.update(scheduled_at=Now() + timedelta(minutes=1))
    worker = make_worker(is_running=stopped != "worker")
    assert not claims.claim_on_trial(space, 1, worker.pk, "test", with_low=stopped != "budget").tasks


def test_a_task_is_alone_only_where_its_worker_holds_nothing_else(space: Space) -> None:
    make_tasks(2, space)
    Task.objects.filter(pk=make_tasks(1, space, priority="high")[0].pk).update(
        error_class="worker_lost", losses=2
    )
    first, second = make_worker(name="first"), make_worker(name="second")
    beside = claim(space, worker=first)
    held = on_trial(space, worker=first)
    assert not claims.mark_alone(held)
    reaper.release_held("first")
    assert beside.tasks
    claim(space, worker=second)
    held = on_trial(space, worker=first)
    assert claims.mark_alone(held)
    assert Task.objects.get(claim_token=held.token).is_alone


def test_tasks_on_trial_are_found_through_their_index(space: Space) -> None:
    make_tasks(3000, space, status="completed")
    make_tasks(3000, space)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE embedding_tasks")
    assert "embedding_tasks_lost" in plan_of(claim_statements.IS_TRIAL_DUE, [space.pk])


def test_a_claim_reads_only_its_own_stretch_of_the_index(space: Space) -> None:
    make_tasks(3000, space, status="completed")
    make_tasks(3000, space)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE embedding_tasks")
        cursor.execute("ANALYZE articles")
    arguments = {
        "size": 50, "lost_together": 16, "with_low": True, "with_trial": False,
        "aged_slots": 5, "aged_after": timedelta(minutes=5), "worker": 1, "space": space.pk,
        "token": "00000000-0000-0000-0000-000000000000", "claimed_by": "x", "lease": timedelta(minutes=1),
        "longest": None, "most_bytes": None,
    }  # fmt: skip
    plan = plan_of(claim_statements.CLAIM_DUE, arguments)
    assert plan.count("Index Scan using embedding_tasks_due") == 3, plan
    assert "Index Scan using embedding_tasks_waiting" in plan, plan
    assert "Seq Scan on embedding_tasks" not in plan, plan
    assert "Seq Scan on articles" not in plan, plan


def sizes(claim: claims.Claim) -> list[int]:
    return sorted(len(task.source.content) for task in claim.tasks)


def of_sizes(*lengths: int) -> None:
    for number, length in enumerate(lengths):
        make_article(f"Of {length}, the {number}th", "x" * length)


def test_a_claim_without_room_for_long_articles_skips_them(space: Space, worker: Worker) -> None:
    of_sizes(5_000, 10, 7_000, 20)
    claim = claims.claim_due(space, 2, worker.pk, worker.name, room=Room(longest=1_000))
    assert sizes(claim) == [10, 20]


def test_a_claim_holds_no_more_text_than_there_is_room_for(space: Space, worker: Worker) -> None:
    of_sizes(400, 500, 300)
    claim = claims.claim_due(space, 10, worker.pk, worker.name, room=Room(most=900))
    assert sizes(claim) == [400, 500]
    assert claim.is_full


def test_one_article_is_taken_however_long_it_is(space: Space, worker: Worker) -> None:
    of_sizes(10, 50_000, 20)
    claim = claims.claim_due(space, 10, worker.pk, worker.name, room=Room(most=900))
    assert sizes(claim) == [50_000]


def test_urgent_tasks_go_before_long_ones(space: Space, worker: Worker) -> None:
    of_sizes(50_000)
    Task.objects.update(priority="low")
    of_sizes(10)
    claim = claims.claim_due(space, 10, worker.pk, worker.name, room=Room(most=900))
    assert sizes(claim) == [10]
