"""Event loops: cancellation at every await point, debug mode, uvloop, several loops."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import pytest
import uvloop

from zae_limiter import Lease, Limit, RateLimiter, RateLimitExceeded

KEY = ("key-1", "gpt-4")
FULL = {"rpm": 100, "tpm": 1_000}

Work = Callable[[], Coroutine[Any, Any, None]]


class Cancelled:
    """Runs a coroutine, and cancels it at its n-th await: before or after what it waits for has come."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], at: int, after: bool) -> None:
        self.coroutine, self.at, self.after = coroutine, at, after

    def __await__(self) -> Generator[Any, Any, bool]:
        for step in itertools.count():
            try:
                waited_for = self.coroutine.send(None)
            except StopIteration:
                return False
            if step == self.at and not self.after:
                if waited_for is not None:
                    waited_for._asyncio_future_blocking = False
                break
            yield waited_for
            if step == self.at:
                break
        try:
            # What goes on after the cancellation is waited for: the rollback.
            waited_for = self.coroutine.throw(asyncio.CancelledError())
            while True:
                yield waited_for
                waited_for = self.coroutine.send(None)
        except (asyncio.CancelledError, StopIteration):
            return True


async def full_again(limiter: RateLimiter, limits: list[Limit]) -> dict[str, int]:
    """What is available once everything that goes on in the background had its time."""
    for _ in range(200):
        if (available := await limiter.available(*KEY, limits)) == FULL:
            break
        await asyncio.sleep(0.01)
    return available


@pytest.mark.parametrize("after", [False, True])
async def test_cancellation_at_every_await_returns_what_was_taken(
    limiter: RateLimiter, limits: list[Limit], after: bool
) -> None:
    async def block() -> None:
        async with limiter.acquire(*KEY, limits, {"rpm": 1, "tpm": 10}) as lease:
            await asyncio.sleep(0)
            await lease.consume(tpm=5)
            await asyncio.sleep(0)
            await lease.adjust(tpm=7)
            # So that the settlement is not one of the awaits: a commit that has begun is carried out.
            await lease.adjust(tpm=-7)

    at = 0
    while await Cancelled(block(), at, after):
        assert await full_again(limiter, limits) == FULL, at
        at += 1
    assert at >= 2
    assert await limiter.available(*KEY, limits) == {"rpm": 99, "tpm": 985}


async def test_a_task_that_is_cancelled_leaves_the_balance_as_it_was(
    limiter: RateLimiter, limits: list[Limit]
) -> None:
    inside = asyncio.Event()

    async def block() -> None:
        async with limiter.acquire(*KEY, limits, {"rpm": 1, "tpm": 10}):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await inside.wait()
    assert await limiter.available(*KEY, limits) == {"rpm": 99, "tpm": 990}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await limiter.available(*KEY, limits) == FULL


async def test_a_cancelled_consume_leaves_the_lease_active(
    limiter: RateLimiter, limits: list[Limit]
) -> None:
    async with limiter.acquire(*KEY, limits, {"tpm": 10}) as lease:

        async def more() -> None:
            await lease.consume(tpm=5)

        if await Cancelled(more(), 0, after=False):
            assert lease.consumed["tpm"] == 10
        await lease.consume(tpm=1)
        consumed = lease.consumed
    assert consumed["tpm"] in (11, 16)


async def many(store: str, limits: list[Limit]) -> int:
    limiter = RateLimiter(store=store)

    async def ten() -> int:
        admitted = 0
        for _ in range(10):
            try:
                async with limiter.acquire(*KEY, limits, {"rpm": 1}) as lease:
                    assert isinstance(lease, Lease)
                    await asyncio.sleep(0)
                    admitted += 1
            except RateLimitExceeded:
                pass
        return admitted

    return sum(await asyncio.gather(*(ten() for _ in range(64))))


def test_under_uvloop(store: str, limits: list[Limit]) -> None:
    assert uvloop.run(many(store, limits)) == 100


def test_debug_mode_has_nothing_to_say(
    store: str, limits: list[Limit], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "asyncio"):
        assert asyncio.run(many(store, limits), debug=True) == 100
    assert [record for record in caplog.records if "took" not in record.message] == []


def test_one_limiter_in_several_loops(store: str, limits: list[Limit]) -> None:
    limiter = RateLimiter(store=store)

    async def five() -> int:
        for _ in range(5):
            async with limiter.acquire(*KEY, limits, {"rpm": 1}):
                await asyncio.sleep(0)
        return 5

    assert asyncio.run(five()) + uvloop.run(five()) == 10
    done: list[int] = []
    threads = [threading.Thread(target=lambda: done.append(asyncio.run(five()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [5] * 4
    assert asyncio.run(limiter.available(*KEY, limits))["rpm"] == 70
