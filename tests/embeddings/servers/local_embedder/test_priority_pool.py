"""Jobs on a few threads, urgent ones first."""

import threading
from concurrent.futures import wait
from functools import partial

import pytest

from embeddings.servers.local_embedder.priority_pool import PriorityPool


def test_urgent_jobs_go_first_and_one_starts_while_every_thread_is_busy() -> None:
    lanes = PriorityPool(threads=1)
    started, release = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        release.wait(10)

    order: list[str] = []
    blocked = lanes.submit(block, urgent=False)
    assert started.wait(10)
    bulk = [lanes.submit(lambda: order.append("bulk"), urgent=False) for _ in range(2)]
    lanes.submit(lambda: order.append("urgent"), urgent=True).result(10)
    release.set()
    for job in (blocked, *bulk):
        job.result(10)
    assert order == ["urgent", "bulk", "bulk"]


def test_bulk_jobs_give_way_until_an_urgent_one_has_ended() -> None:
    lanes = PriorityPool(threads=2)
    started, release, searched = (
        threading.Semaphore(0),
        [threading.Event() for _ in range(3)],
        threading.Event(),
    )

    def block(event: threading.Event) -> None:
        started.release()
        event.wait(10)

    bulk = [lanes.submit(partial(block, event), urgent=False) for event in release[:2]]
    assert started.acquire(timeout=10)
    assert started.acquire(timeout=10)
    search = lanes.submit(partial(block, release[2]), urgent=True)
    search.add_done_callback(lambda _: searched.set())
    assert started.acquire(timeout=10)
    next_batch = lanes.submit(searched.is_set, urgent=False)
    release[0].set()  # of two batches one ends, and the search has its place
    bulk[0].result(10)
    lanes.submit(lambda: None, urgent=True).result(10)
    release[2].set()
    assert next_batch.result(10)
    release[1].set()
    lanes.close()


def test_each_bulk_thread_runs_its_initializer_and_no_urgent_one_does() -> None:
    begun: list[int] = []
    lanes = PriorityPool(threads=1, begin_bulk=lambda: begun.append(threading.get_ident()))
    thread = lanes.submit(threading.get_ident, urgent=False).result(10)
    assert lanes.submit(threading.get_ident, urgent=True).result(10) != thread
    assert begun == [thread]
    lanes.close()


def test_a_closed_pool_cancels_waiting_jobs_and_accepts_no_more() -> None:
    lanes = PriorityPool(threads=1)
    started, release = threading.Event(), threading.Event()

    def block() -> str:
        started.set()
        release.wait(10)
        return "ended"

    running = lanes.submit(block, urgent=False)
    assert started.wait(10)
    waiting = lanes.submit(block, urgent=False)
    lanes.close()
    assert waiting.cancelled()
    assert lanes.submit(block, urgent=True).cancelled()
    release.set()
    assert running.result(10) == "ended"


@pytest.mark.parametrize("urgent", [True, False])
@pytest.mark.parametrize("error", [LookupError("odd"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_of_a_job_reaches_its_caller_and_ends_no_thread(urgent: bool, error: BaseException) -> None:
    lanes = PriorityPool(threads=1)

    def fail() -> None:
        raise error

    for _ in range(3):
        assert lanes.submit(fail, urgent=urgent).exception(10) is error
    assert lanes.submit(lambda: "still works", urgent=urgent).result(10) == "still works"
    lanes.close()


def test_a_job_that_its_caller_cancelled_is_not_done() -> None:
    lanes = PriorityPool(threads=1)
    started, release = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        release.wait(10)

    lanes.submit(block, urgent=False)
    assert started.wait(10)
    done: list[str] = []
    unwanted = lanes.submit(lambda: done.append("unwanted"), urgent=False)
    wanted = lanes.submit(lambda: done.append("wanted"), urgent=False)
    assert unwanted.cancel()
    release.set()
    wanted.result(10)
    assert done == ["wanted"]
    lanes.close()


def test_a_waiting_caller_is_notified_of_the_end_at_once() -> None:
    lanes = PriorityPool(threads=1)
    release = threading.Event()
    jobs = [lanes.submit(lambda: release.wait(10), urgent=urgent) for urgent in (False, False, True, True)]
    lanes.close()
    release.set()
    done, pending = wait(jobs, timeout=10)
    assert (len(done), len(pending)) == (4, 0)


def test_a_pool_may_be_closed_twice_while_jobs_wait() -> None:
    """Somebody may ask twice for the end of a process."""
    lanes = PriorityPool(threads=1)
    started, release = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        release.wait(10)

    lanes.submit(block, urgent=False)
    assert started.wait(10)
    waiting = [lanes.submit(block, urgent=False) for _ in range(2)]
    lanes.close()
    lanes.close()
    assert all(job.cancelled() for job in waiting)
    release.set()
