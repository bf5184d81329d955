"""Memory does not grow with the number of leases."""

from __future__ import annotations

import asyncio
import gc
import os

import pytest

from zae_limiter import Limit, RateLimiter, RateLimitExceeded, SyncRateLimiter

KEY = ("key-1", "gpt-4")
LEASES = 10_000
MOST_GROWTH = 1_000_000


def resident() -> int:
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="asks the kernel of Linux")
@pytest.mark.parametrize("store", ["memory", "sqlite"], indirect=True)
def test_10_000_leases_leave_nothing_behind(store: str) -> None:
    limiter, sync = RateLimiter(store=store), SyncRateLimiter(store=store)

    async def leases(count: int) -> None:
        for _ in range(count):
            # New objects each time, as programs do that build their limits for each request.
            limits = [Limit.per_second("rpm", 1_000_000), Limit.custom("tpm", 5, 1, 1_000_000)]
            async with limiter.acquire(*KEY, limits, {"rpm": 1}) as lease:
                await lease.adjust(rpm=-1)
            with sync.acquire(*KEY, limits, {"rpm": 1}) as other:
                other.consume(rpm=1)
            try:
                async with limiter.acquire(*KEY, limits, {"tpm": 6}):
                    pass
            except RateLimitExceeded:
                pass

    asyncio.run(leases(LEASES // 5))
    before = resident()
    asyncio.run(leases(LEASES))
    assert resident() - before < MOST_GROWTH
