"""The path of an acquire without an event loop, on every store, and from threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from zae_limiter import Limit, RateLimitExceeded, SyncLease, SyncRateLimiter

KEY = ("key-1", "gpt-4")
FULL = {"rpm": 100, "tpm": 1_000}


def test_a_block_that_ends_keeps_what_was_taken(
    sync_limiter: SyncRateLimiter, limits: list[Limit]
) -> None:
    with sync_limiter.acquire(*KEY, limits, {"rpm": 1, "tpm": 500}) as lease:
        assert isinstance(lease, SyncLease)
        assert sync_limiter.available(*KEY, limits) == {"rpm": 99, "tpm": 500}
        lease.consume(tpm=200)
        lease.adjust(tpm=-80)
        lease.release(rpm=1)
        assert lease.consumed == {"rpm": 0, "tpm": 620}
    assert sync_limiter.available(*KEY, limits) == {"rpm": 100, "tpm": 380}
    with pytest.raises(RuntimeError, match="^Lease is no longer active$"):
        lease.adjust(tpm=1)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_returns_everything_and_propagates(
    sync_limiter: SyncRateLimiter, limits: list[Limit], error: type[BaseException]
) -> None:
    with pytest.raises(error), sync_limiter.acquire(*KEY, limits, {"rpm": 1, "tpm": 500}):
        raise error
    assert sync_limiter.available(*KEY, limits) == FULL


def test_a_denial_takes_nothing(sync_limiter: SyncRateLimiter, limits: list[Limit]) -> None:
    with pytest.raises(RateLimitExceeded), sync_limiter.acquire(*KEY, limits, {"rpm": 101}):
        pytest.fail("was admitted")
    assert sync_limiter.available(*KEY, limits) == FULL


def test_threads_admit_exactly_what_there_is(
    sync_limiter: SyncRateLimiter, limits: list[Limit]
) -> None:
    begin = threading.Barrier(16)

    def ten() -> int:
        begin.wait()
        admitted = 0
        for _ in range(10):
            try:
                with sync_limiter.acquire(*KEY, limits, {"rpm": 1}):
                    admitted += 1
            except RateLimitExceeded:
                pass
        return admitted

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda _: ten(), range(16))) == 100


def test_entities_and_stored_limits(sync_limiter: SyncRateLimiter, limits: list[Limit]) -> None:
    sync_limiter.create_entity("org-1", "Search")
    sync_limiter.set_limits("org-1", limits)
    assert sync_limiter.get_limits("org-1") == limits
    assert sync_limiter.available("org-1", "gpt-4", use_stored_limits=True) == FULL
    sync_limiter.delete_entity("org-1")
    assert sync_limiter.get_entity("org-1") is None
    assert sync_limiter.get_limits("org-1") == []
