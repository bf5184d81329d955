"""The bucket as a balance with a refill clock."""

from __future__ import annotations

from zae_limiter import BucketState, Limit
from zae_limiter.bucket import (
    ConsumeResult,
    RefillResult,
    build_limit_status,
    calculate_available,
    calculate_retry_after,
    calculate_time_until_available,
    force_consume,
    refill_bucket,
    try_consume,
)

LIMIT = Limit.per_minute("rpm", 100)


def state(tokens_milli: int, last_refill_ms: int = 0) -> BucketState:
    full = BucketState.from_limit("key-1", "gpt-4", LIMIT, last_refill_ms)
    full.tokens_milli = tokens_milli
    return full


def refill(tokens_milli: int, last_refill_ms: int, now_ms: int) -> RefillResult:
    return refill_bucket(tokens_milli, last_refill_ms, now_ms, 100_000, 100_000, 60_000)


def test_refill_moves_the_clock_by_what_was_added() -> None:
    assert refill(0, 0, 30_000) == RefillResult(50_000, 30_000)
    # 1 s is 1666.67 millitokens: what is added stands for 999.6 ms, and the rest of the time counts later.
    assert refill(0, 0, 1_000) == RefillResult(1_666, 999)
    assert refill(0, 0, 60_000 * 1_000) == RefillResult(100_000, 60_000_000)


def test_no_refill_without_time_or_for_less_than_a_millitoken() -> None:
    assert refill(5, 1_000, 1_000) == RefillResult(5, 1_000)
    assert refill(5, 1_000, 900) == RefillResult(5, 1_000)
    assert refill_bucket(0, 0, 999, 1_000, 1, 1_000) == RefillResult(0, 0)


def test_consuming() -> None:
    assert try_consume(state(50_000), 20, 0) == ConsumeResult(True, 30_000, 0, 50, 0.0)
    assert try_consume(state(0), 50, 30_000) == ConsumeResult(True, 0, 30_000, 50, 0.0)
    assert try_consume(state(10_500), 11, 0) == ConsumeResult(False, 10_500, 0, 10, 0.301)
    assert force_consume(state(10_000), 15, 0) == (-5_000, 0)
    assert force_consume(state(10_000), -15, 0) == (25_000, 0)


def test_waits_and_balances() -> None:
    assert calculate_available(state(-1), 0) == -1
    assert calculate_available(state(0), 30_000) == 50
    assert calculate_time_until_available(state(10_000), 10, 0) == 0.0
    assert calculate_time_until_available(state(0), 10, 0) == 6.001
    assert calculate_retry_after(0, 100_000, 60_000) == 0.0
    assert calculate_retry_after(-5, 100_000, 60_000) == 0.0
    assert calculate_retry_after(1, 100_000, 60_000) == 0.001


def test_status() -> None:
    passed = build_limit_status("key-1", "gpt-4", LIMIT, state(10_000), 10, 0)
    assert (passed.exceeded, passed.available, passed.retry_after_seconds) == (False, 10, 0.0)
    denied = build_limit_status("key-1", "gpt-4", LIMIT, state(10_000), 20, 0)
    assert (denied.exceeded, denied.deficit, denied.retry_after_seconds) == (True, 10, 6.001)
