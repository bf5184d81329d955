"""Bad input is named, and never takes anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zae_limiter import Limit, RateLimiter, SyncRateLimiter

LIMITS = [Limit.per_minute("rpm", 100), Limit.per_minute("tpm", 1_000)]
GOOD: dict[str, Any] = {
    "entity_id": "key-1",
    "resource": "gpt-4",
    "limits": LIMITS,
    "consume": {"rpm": 1},
}


@pytest.fixture
def memory() -> SyncRateLimiter:
    return SyncRateLimiter(store="memory:")


BAD = [
    ({"entity_id": 5}, TypeError, "entity_id"),
    ({"resource": None}, TypeError, "resource"),
    ({"limits": 5}, TypeError, "limits must be a list of Limit, not int"),
    ({"limits": "rpm"}, TypeError, "limits must be a list of Limit, not str"),
    ({"limits": [*LIMITS, "rpm"]}, TypeError, r"limits\[2\] must be a Limit, not str"),
    ({"consume": 5}, TypeError, "consume must be a mapping"),
    ({"consume": {5: 1}}, TypeError, "the keys of consume must be limit names"),
    ({"consume": {"rpm": 1.5}}, TypeError, r'consume\["rpm"\] must be an int, not float'),
    ({"failure_mode": 5}, TypeError, "failure_mode must be a FailureMode, not int"),
    ({"cascade": "yes"}, TypeError, "cascade"),
    ({"entity_id": ""}, ValueError, "entity_id"),
    ({"entity_id": "a#b"}, ValueError, "entity_id"),
    ({"resource": "x" * 257}, ValueError, "resource"),
    ({"limits": []}, ValueError, "at least one limit"),
    ({"limits": [LIMITS[0], LIMITS[0]]}, ValueError, "limit rpm is given twice"),
    ({"consume": {"rpm": -1}}, ValueError, r'consume\["rpm"\] must not be negative'),
    ({"consume": {"rpm": 10**13}}, ValueError, r'consume\["rpm"\] must be at most'),
    ({"consume": {"rpm": 10**30}}, ValueError, r'consume\["rpm"\] must be at most'),
    ({"consume": {"day": 1}}, ValueError, 'no limit "day" here, only rpm, tpm'),
    ({"consume": {"a b": 1}}, ValueError, "consume"),
    ({"failure_mode": "ajar"}, ValueError, "failure_mode"),
    ({"entity_id": "a\udc80"}, UnicodeEncodeError, "surrogates not allowed"),
]


@pytest.mark.parametrize(("change", "error", "problem"), BAD)
def test_of_an_acquire(
    memory: SyncRateLimiter, change: dict[str, Any], error: type[Exception], problem: str
) -> None:
    with pytest.raises(error, match=problem), memory.acquire(**{**GOOD, **change}):
        pytest.fail("was admitted")
    assert memory.available("key-1", "gpt-4", LIMITS) == {"rpm": 100, "tpm": 1_000}


async def test_of_a_lease() -> None:
    limiter = RateLimiter(store="memory:")
    async with limiter.acquire(**GOOD) as lease:
        bad: list[tuple[Any, type[Exception], str]] = [
            (lambda: lease.consume(rpm=-1), ValueError, "negative"),
            (lambda: lease.consume(day=1), ValueError, "day"),
            (lambda: lease.consume(rpm="1"), TypeError, "must be an int"),  # type: ignore[arg-type]
            (lambda: lease.adjust(day=1), ValueError, "day"),
            (lambda: lease.adjust(tpm=5, day=1), ValueError, "day"),
            (lambda: lease.adjust(tpm=None), TypeError, "must be an int"),  # type: ignore[arg-type]
            (lambda: lease.release(rpm=-1), ValueError, "negative"),
        ]
        for call, error, problem in bad:
            with pytest.raises(error, match=problem):
                await call()
        assert lease.consumed == {"rpm": 1, "tpm": 0}
    assert await limiter.available("key-1", "gpt-4", LIMITS) == {"rpm": 99, "tpm": 1_000}


@pytest.mark.parametrize(
    ("arguments", "error", "problem"),
    [
        ({"store": "redis://localhost"}, ValueError, "expected memory:"),
        ({"store": 5}, TypeError, "store must be a str"),
        ({"table_name": "a/b/c"}, ValueError, "table name"),
        ({"table_name": None}, TypeError, "table_name must be a str"),
        ({"endpoint_url": "localhost"}, ValueError, "endpoint_url"),
        ({"store": "memory:", "failure_mode": "ajar"}, ValueError, "failure_mode"),
    ],
)
def test_of_a_limiter(arguments: dict[str, Any], error: type[Exception], problem: str) -> None:
    for limiter in (RateLimiter, SyncRateLimiter):
        with pytest.raises(error, match=problem):
            limiter(**arguments)


def test_a_store_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    path = tmp_path / "limits.db"
    path.write_bytes(b"not a database at all, but some bytes that make up a file" * 50)
    limiter = SyncRateLimiter(store=f"sqlite://{path}")
    with pytest.raises(Exception, match=r"limits\.db"), limiter.acquire(**GOOD):
        pytest.fail("was admitted")


def test_amounts_may_be_any_mapping(memory: SyncRateLimiter) -> None:
    from types import MappingProxyType

    with memory.acquire(**{**GOOD, "consume": MappingProxyType({"rpm": 2}), "limits": tuple(LIMITS)}) as lease:
        assert lease.consumed == {"rpm": 2, "tpm": 0}


def test_a_limiter_that_was_not_initialised_says_so() -> None:
    with pytest.raises(RuntimeError, match="__init__"):
        SyncRateLimiter.__new__(SyncRateLimiter).acquire(**GOOD)


def test_create_table_is_deprecated() -> None:
    for limiter in (RateLimiter, SyncRateLimiter):
        with pytest.warns(DeprecationWarning, match="use create_stack") as warned:
            limiter("rate_limits", endpoint_url="http://127.0.0.1:1", create_table=True)
        assert warned[0].filename == __file__


def test_attributes() -> None:
    limiter = RateLimiter("my_limits", "eu-west-1", failure_mode="open")  # type: ignore[arg-type]
    assert (limiter.table_name, limiter.failure_mode.value) == ("my_limits", "open")
    assert RateLimiter().table_name == "rate_limits"
    assert RateLimiter(store="dynamodb://other?region=eu-west-1").table_name == "other"
