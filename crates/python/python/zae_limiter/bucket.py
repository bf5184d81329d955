"""A token bucket as a balance with a refill clock: pure functions on integers.

The limiter itself keeps no such clock, and does not drift; these functions are for programs that reckon for themselves.
Balances are in millitokens (thousandths of a token), instants and periods in milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from .models import BucketState, Limit, LimitStatus

__all__ = [
    "ConsumeResult",
    "RefillResult",
    "build_limit_status",
    "calculate_available",
    "calculate_retry_after",
    "calculate_time_until_available",
    "force_consume",
    "refill_bucket",
    "try_consume",
]


@dataclass(frozen=True)
class RefillResult:
    """A bucket after its refill."""

    new_tokens_milli: int
    new_last_refill_ms: int


@dataclass(frozen=True)
class ConsumeResult:
    """A bucket after an attempt to take from it."""

    success: bool
    new_tokens_milli: int
    new_last_refill_ms: int
    available: int
    """Whole tokens before the attempt, rounded down."""
    retry_after_seconds: float
    """0.0 on success."""


def refill_bucket(
    tokens_milli: int,
    last_refill_ms: int,
    now_ms: int,
    burst_milli: int,
    refill_amount_milli: int,
    refill_period_ms: int,
) -> RefillResult:
    """Adds what has flowed in since ``last_refill_ms``, up to the burst.

    Nothing changes if no time has passed, or less than a millitoken is due. The clock moves by the whole milliseconds that
    the added tokens stand for, so that the rest of the time counts at the next refill.
    """
    elapsed_ms = now_ms - last_refill_ms
    due = elapsed_ms * refill_amount_milli // refill_period_ms if elapsed_ms > 0 else 0
    if due == 0:
        return RefillResult(tokens_milli, last_refill_ms)
    used_ms = due * refill_period_ms // refill_amount_milli
    return RefillResult(min(burst_milli, tokens_milli + due), last_refill_ms + used_ms)


def _refilled(state: BucketState, now_ms: int) -> RefillResult:
    return refill_bucket(
        state.tokens_milli,
        state.last_refill_ms,
        now_ms,
        state.burst_milli,
        state.refill_amount_milli,
        state.refill_period_ms,
    )


def try_consume(state: BucketState, requested: int, now_ms: int) -> ConsumeResult:
    """Takes ``requested`` tokens if the bucket holds them."""
    refill = _refilled(state, now_ms)
    deficit_milli = requested * 1000 - refill.new_tokens_milli
    success = deficit_milli <= 0
    return ConsumeResult(
        success=success,
        new_tokens_milli=-deficit_milli if success else refill.new_tokens_milli,
        new_last_refill_ms=refill.new_last_refill_ms,
        available=refill.new_tokens_milli // 1000,
        retry_after_seconds=calculate_retry_after(
            deficit_milli, state.refill_amount_milli, state.refill_period_ms
        ),
    )


def force_consume(state: BucketState, amount: int, now_ms: int) -> tuple[int, int]:
    """Takes ``amount`` tokens (returns them if negative), into debt if need be: the new balance and refill clock."""
    refill = _refilled(state, now_ms)
    return refill.new_tokens_milli - amount * 1000, refill.new_last_refill_ms


def calculate_available(state: BucketState, now_ms: int) -> int:
    """Whole tokens that the bucket holds, rounded down; negative in debt."""
    return _refilled(state, now_ms).new_tokens_milli // 1000


def calculate_time_until_available(state: BucketState, needed: int, now_ms: int) -> float:
    """Seconds until the bucket holds ``needed`` tokens; 0.0 if it does."""
    deficit_milli = needed * 1000 - _refilled(state, now_ms).new_tokens_milli
    return calculate_retry_after(deficit_milli, state.refill_amount_milli, state.refill_period_ms)


def calculate_retry_after(
    deficit_milli: int, refill_amount_milli: int, refill_period_ms: int
) -> float:
    """Seconds until so much has flowed in, with 1 ms added for rounding; 0.0 if nothing is missing."""
    if deficit_milli <= 0:
        return 0.0
    return (deficit_milli * refill_period_ms // refill_amount_milli + 1) / 1000.0


def build_limit_status(
    entity_id: str, resource: str, limit: Limit, state: BucketState, requested: int, now_ms: int
) -> LimitStatus:
    """How ``limit`` stands for a request of so many tokens."""
    result = try_consume(state, requested, now_ms)
    return LimitStatus(
        entity_id=entity_id,
        resource=resource,
        limit_name=limit.name,
        limit=limit,
        available=result.available,
        requested=requested,
        exceeded=not result.success,
        retry_after_seconds=result.retry_after_seconds,
    )
