"""What an HTTP answer says about limits."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from .exceptions import RateLimitExceeded
from .models import LimitStatus

# A structured field cannot have an integer of more than 15 digits.
_MOST = 999_999_999_999_999

UNAVAILABLE_RETRY_AFTER = 1
"""Seconds after which to try again while the store is unavailable."""

Headers = list[tuple[str, str]]


def fields(statuses: Sequence[LimitStatus], retry_after: int | None = None) -> Headers:
    """``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers), a member for each status.

    The limits of ancestors are called ``NAME/1``, ``NAME/2`` ... from the nearest one up. No effective window reaches beyond
    ``retry_after`` seconds.
    """
    if not statuses:
        return []
    policies, states = [], []
    for name, status in _named(statuses):
        limit = status.limit
        policy = f'"{name}";q={min(limit.refill_amount, _MOST)};w={limit.refill_period_seconds}'
        if limit.burst != limit.refill_amount:
            policy += f";zae-burst={min(limit.burst, _MOST)}"
        policies.append(policy)
        state = f'"{name}";r={min(max(status.available, 0), _MOST)}'
        to_full = _seconds_to_full(status)
        if to_full > 0:
            state += f";t={min(to_full, _MOST, to_full if retry_after is None else retry_after)}"
        states.append(state)
    return [("RateLimit-Policy", ", ".join(policies)), ("RateLimit", ", ".join(states))]


def _named(statuses: Sequence[LimitStatus]) -> Iterator[tuple[str, LimitStatus]]:
    level, entity_id = 0, statuses[0].entity_id
    for status in statuses:
        if status.entity_id != entity_id:
            level, entity_id = level + 1, status.entity_id
        yield (f"{status.limit_name}/{level}" if level else status.limit_name), status


def _seconds_to_full(status: LimitStatus) -> int:
    missing = max(0, status.limit.burst - status.available)
    return -(-missing * status.limit.refill_period_seconds // status.limit.refill_amount)


def denial(denied: RateLimitExceeded) -> Headers:
    """The fields of an answer with status 429. Without ``Retry-After`` where waiting is of no use."""
    if math.isinf(denied.retry_after_seconds):
        return fields(denied.statuses)
    retry_after = denied.retry_after_header
    return [("Retry-After", retry_after), *fields(denied.statuses, int(retry_after))]


def unavailable() -> tuple[Headers, dict[str, Any]]:
    """The fields and the body of an answer with status 503. What the store says is not for clients."""
    headers = [("Retry-After", str(UNAVAILABLE_RETRY_AFTER))]
    return headers, {"error": "unavailable", "message": "the rate limiter is unavailable"}


def body(content: dict[str, Any]) -> bytes:
    """As JSON."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
