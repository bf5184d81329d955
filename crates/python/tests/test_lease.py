"""The path of an acquire and its lease, with an event loop, on every store."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from zae_limiter import Lease, Limit, RateLimiter, RateLimitExceeded

KEY = ("key-1", "gpt-4")
FULL = {"rpm": 100, "tpm": 1_000}


async def test_a_block_that_ends_keeps_what_was_taken(
    limiter: RateLimiter, limits: list[Limit]
) -> None:
    assert await limiter.available(*KEY, limits) == FULL
    async with limiter.acquire(*KEY, limits, {"rpm": 1, "tpm": 500}) as lease:
        assert isinstance(lease, Lease)
        assert lease.consumed == {"rpm": 1, "tpm": 500}
        # It was written on entry.
        assert await limiter.available(*KEY, limits) == {"rpm": 99, "tpm": 500}
        await lease.consume(tpm=200)
        await lease.adjust(tpm=-80)
        await lease.release(rpm=1)
        assert lease.consumed == {"rpm": 0, "tpm": 620}
    assert lease.consumed == {"rpm": 0, "tpm": 620}
    assert await limiter.available(*KEY, limits) == {"rpm": 100, "tpm": 380}


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError, KeyboardInterrupt])
async def test_an_exception_returns_everything_and_propagates(
    limiter: RateLimiter, limits: list[Limit], error: type[BaseException]
) -> None:
    with pytest.raises(error):
        async with limiter.acquire(*KEY, limits, {"rpm": 1, "tpm": 500}) as lease:
            await lease.consume(tpm=100)
            await lease.adjust(tpm=50)
            raise error
    assert lease.consumed == {"rpm": 0, "tpm": 0}
    assert await limiter.available(*KEY, limits) == FULL


async def test_a_denial_takes_nothing_and_says_why(
    limiter: RateLimiter, limits: list[Limit]
) -> None:
    async with limiter.acquire(*KEY, limits, {"rpm": 1, "tpm": 900}):
        pass
    with pytest.raises(RateLimitExceeded) as denied:
        async with limiter.acquire(*KEY, limits, {"rpm": 1, "tpm": 101}):
            pytest.fail("was admitted")
    error = denied.value
    assert [status.limit for status in error.statuses] == limits
    assert [status.limit_name for status in error.violations] == ["tpm"]
    assert (error.primary_violation.available, error.primary_violation.requested) == (100, 101)
    assert 0 < error.retry_after_seconds <= 1_000_000
    assert await limiter.available(*KEY, limits) == {"rpm": 99, "tpm": 100}


async def test_consume_is_all_or_nothing_and_leaves_the_lease_active(
    limiter: RateLimiter, limits: list[Limit]
) -> None:
    async with limiter.acquire(*KEY, limits, {"tpm": 900}) as lease:
        with pytest.raises(RateLimitExceeded):
            await lease.consume(rpm=1, tpm=101)
        await lease.consume(tpm=100)
        assert lease.consumed == {"rpm": 0, "tpm": 1_000}
    assert await limiter.available(*KEY, limits) == {"rpm": 100, "tpm": 0}


async def test_adjust_may_leave_debt(limiter: RateLimiter, limits: list[Limit]) -> None:
    async with limiter.acquire(*KEY, limits, {"tpm": 1_000}) as lease:
        await lease.adjust(tpm=500)
    assert (await limiter.available(*KEY, limits))["tpm"] == -500
    assert await limiter.time_until_available(*KEY, limits, {"tpm": 1_001}) == float("inf")
    wait = await limiter.time_until_available(*KEY, limits, {"tpm": 1})
    assert 499_000_000 < wait <= 501_000_000


async def test_after_its_end_a_lease_is_no_longer_active(
    limiter: RateLimiter, limits: list[Limit]
) -> None:
    async with limiter.acquire(*KEY, limits, {"rpm": 1}) as lease:
        pass
    for call in (lease.consume, lease.adjust, lease.release):
        with pytest.raises(RuntimeError, match="^Lease is no longer active$"):
            await call(rpm=1)
    assert await limiter.available(*KEY, limits) == {"rpm": 99, "tpm": 1_000}


async def test_calls_can_be_made_tasks(limiter: RateLimiter, limits: list[Limit]) -> None:
    async with limiter.acquire(*KEY, limits, {"tpm": 1}) as lease:
        await asyncio.gather(*(lease.consume(tpm=2) for _ in range(5)))
        await asyncio.create_task(lease.consume(tpm=3))
        await asyncio.wait_for(lease.adjust(tpm=4), 60)
        assert lease.consumed == {"rpm": 0, "tpm": 18}


async def test_a_call_cannot_be_awaited_twice(limiter: RateLimiter, limits: list[Limit]) -> None:
    async with limiter.acquire(*KEY, limits, {"tpm": 1}) as lease:
        call = lease.consume(tpm=2)
        await call
        with pytest.raises(RuntimeError, match="cannot reuse"):
            await call
        assert lease.consumed["tpm"] == 3


async def test_an_acquire_cannot_be_entered_twice(
    limiter: RateLimiter, limits: list[Limit]
) -> None:
    acquire = limiter.acquire(*KEY, limits, {"tpm": 1})
    async with acquire:
        pass
    with pytest.raises(RuntimeError, match="entered before"):
        async with acquire:
            pass


async def test_64_tasks_on_a_burst_of_100_admit_exactly_100(
    limiter: RateLimiter, limits: list[Limit]
) -> None:
    admitted = 0

    async def ten() -> None:
        nonlocal admitted
        for _ in range(10):
            try:
                async with limiter.acquire(*KEY, limits, {"rpm": 1}):
                    admitted += 1
            except RateLimitExceeded:
                pass

    await asyncio.gather(*(ten() for _ in range(64)))
    assert admitted == 100
    assert (await limiter.available(*KEY, limits))["rpm"] == 0


async def test_cascades_take_from_ancestors_too(limiter: RateLimiter, limits: list[Limit]) -> None:
    await limiter.create_entity("project-1")
    await limiter.create_entity("key-1", parent_id="project-1")
    own = [Limit.custom("tpm", 50, 1, 1_000_000)]
    await limiter.set_limits("project-1", own)
    async with limiter.acquire(*KEY, limits, {"rpm": 1, "tpm": 40}, cascade=True) as lease:
        assert lease.consumed == {"rpm": 1, "tpm": 40}
    assert await limiter.available("project-1", "gpt-4", own) == {"tpm": 10}
    with pytest.raises(RateLimitExceeded) as denied:
        async with limiter.acquire(*KEY, limits, {"tpm": 11}, cascade=True):
            pass
    assert [status.entity_id for status in denied.value.violations] == ["project-1"]
    assert (await limiter.available(*KEY, limits))["tpm"] == 960


async def test_with_exit_stacks_and_timeouts(limiter: RateLimiter, limits: list[Limit]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for key in ("key-1", "key-2"):
            await stack.enter_async_context(limiter.acquire(key, "gpt-4", limits, {"rpm": 1}))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0), limiter.acquire(*KEY, limits, {"rpm": 1}):
                await asyncio.sleep(60)
    assert (await limiter.available("key-2", "gpt-4", limits))["rpm"] == 99
