"""Threads that outlive whatever they run."""

import asyncio
import threading

import pytest

from config.serving.pool import Pool


async def _never() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("error", [SystemExit(1), StopIteration(), KeyboardInterrupt(), ValueError("bad")])
def test_an_error_of_a_request_ends_no_thread(error: BaseException) -> None:
    def fail() -> None:
        raise error

    async def run() -> int:
        pool = Pool("test", threads=1, waiting=10)
        for _ in range(2):
            with pytest.raises((RuntimeError, ValueError)):
                await pool.run(fail, _never)
        assert await pool.run(lambda: "served", _never) == "served"
        return pool.busy

    assert asyncio.run(run()) == 0


def test_work_without_a_result_ends_its_coroutine_soon() -> None:
    async def run() -> None:
        pool = Pool("test", threads=2, waiting=0)
        async with asyncio.timeout(5):
            assert await asyncio.gather(*(pool.run(lambda: None, _never) for _ in range(2))) == [None, None]

    asyncio.run(run())


def test_a_coroutine_that_is_given_up_leaves_the_queue() -> None:
    may_end = threading.Event()
    ran: list[int] = []

    async def run() -> int:
        pool = Pool("test", threads=1, waiting=1)
        first = asyncio.create_task(pool.run(lambda: may_end.wait(10), _never))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await pool.run(lambda: ran.append(1), _never)
        may_end.set()
        assert await first
        return pool.busy

    assert asyncio.run(run()) == 0
    assert ran == []
