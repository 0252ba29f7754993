"""How long a transfer may pause, and which one is ended when all hold too much memory."""

import asyncio

import pytest

from config.serving.answers import RefusedError
from config.serving.transfers import Transfer, Transfers


async def pausing(transfer: Transfer, size: int) -> None:
    """A transfer that holds so many bytes and makes no progress."""
    try:
        with transfer:
            transfer.add(size)
            await asyncio.Event().wait()
    finally:
        transfer.release()


def test_a_transfer_that_pauses_too_long_is_ended() -> None:
    async def run() -> int:
        transfers = Transfers(100)
        with pytest.raises(TimeoutError):
            await asyncio.create_task(_begin(transfers, 0.01, 60))
        return transfers.held

    assert asyncio.run(run()) == 0


def test_a_transfer_that_moves_is_not() -> None:
    async def run() -> None:
        with Transfers(100).begin(0.3) as transfer:
            ends = transfer.loop.time() + 0.6
            while transfer.loop.time() < ends:
                await asyncio.sleep(0)
                transfer.moved()

    asyncio.run(run())


def test_the_one_that_has_paused_longest_makes_room() -> None:
    async def run() -> None:
        transfers = Transfers(100)
        first = asyncio.create_task(_begin(transfers, 60, 50))
        await asyncio.sleep(0)
        second = asyncio.create_task(_begin(transfers, 60, 40))
        await asyncio.sleep(0)
        third = asyncio.create_task(_begin(transfers, 60, 50))
        with pytest.raises(TimeoutError):
            await first
        assert not second.done()
        assert not third.done()
        assert transfers.held == 90
        for task in (second, third):
            task.cancel()

    asyncio.run(run())


def test_what_does_not_fit_by_itself_is_refused() -> None:
    async def run() -> int:
        transfers = Transfers(100)
        with pytest.raises(RefusedError):
            await _begin(transfers, 60, 101)
        return transfers.held

    assert asyncio.run(run()) == 0


async def _begin(transfers: Transfers, seconds: float, size: int) -> None:
    await pausing(transfers.begin(seconds), size)
