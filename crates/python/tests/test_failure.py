"""While the store is unavailable, and when it cannot be used at all."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from zae_limiter import (
    FailureMode,
    InfrastructureNotFoundError,
    Limit,
    RateLimiter,
    RateLimiterUnavailable,
    SyncRateLimiter,
)

KEY = ("key-1", "gpt-4")


@pytest.fixture
def nobody() -> Iterator[str]:
    """An endpoint at which nobody listens, and nobody will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def url(endpoint: str, table: str = "limits") -> str:
    return f"dynamodb://{table}?region=us-east-1&attempts=1&endpoint_url={endpoint}"


async def test_fail_closed_raises(nobody: str, limits: list[Limit]) -> None:
    limiter = RateLimiter(store=url(nobody))
    with pytest.raises(RateLimiterUnavailable):
        async with limiter.acquire(*KEY, limits, {"rpm": 1}):
            pytest.fail("was admitted")
    with pytest.raises(RateLimiterUnavailable):
        await limiter.available(*KEY, limits)
    with pytest.raises(RateLimiterUnavailable):
        async with limiter:
            pass


async def test_fail_open_gives_a_lease_that_records_nothing(
    nobody: str, limits: list[Limit]
) -> None:
    async with RateLimiter(store=url(nobody), failure_mode=FailureMode.FAIL_OPEN) as limiter:
        async with limiter.acquire(*KEY, limits, {"rpm": 1}) as lease:
            assert lease.degraded
            await lease.consume(rpm=5)
            await lease.adjust(rpm=5)
            assert lease.consumed == {}
        with pytest.raises(RuntimeError, match="no longer active"):
            await lease.adjust(rpm=5)
        with pytest.raises(RateLimiterUnavailable):
            async with limiter.acquire(
                *KEY, limits, {"rpm": 1}, failure_mode=FailureMode.FAIL_CLOSED
            ):
                pass


def test_a_call_can_fail_open_by_itself(nobody: str, limits: list[Limit]) -> None:
    limiter = SyncRateLimiter(store=url(nobody))
    mode = FailureMode.FAIL_OPEN
    with limiter.acquire(*KEY, limits, {"rpm": 1}, failure_mode=mode) as lease:
        assert lease.degraded


async def test_a_missing_table_is_an_error_in_either_mode(
    endpoint: str, table: str, limits: list[Limit]
) -> None:
    limiter = RateLimiter(store=url(endpoint, table), failure_mode=FailureMode.FAIL_OPEN)
    with pytest.raises(InfrastructureNotFoundError, match="zae-limiter deploy") as missing:
        async with limiter.acquire(*KEY, limits, {"rpm": 1}):
            pytest.fail("was admitted")
    assert missing.value.table_name == table
