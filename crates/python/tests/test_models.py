"""Models are what dataclasses are."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from typing import Any

import pytest

from zae_limiter import (
    BucketState,
    Entity,
    FailureMode,
    Limit,
    LimitName,
    LimitStatus,
    RateLimitExceeded,
)
from zae_limiter.exceptions import (
    EntityExistsError,
    EntityNotFoundError,
    IncompatibleSchemaError,
    InfrastructureNotFoundError,
    RateLimitError,
    RateLimiterUnavailable,
    StackAlreadyExistsError,
    StackCreationError,
    VersionError,
    VersionMismatchError,
)

LIMIT = Limit.per_minute("tpm", 10_000, burst=15_000)


def status(exceeded: bool, retry_after: float = 0.0, name: str = "tpm") -> LimitStatus:
    return LimitStatus("key-1", "gpt-4", name, LIMIT, 30, 31 if exceeded else 1, exceeded, retry_after)


def test_a_limit_is_a_value() -> None:
    same = Limit(name="tpm", capacity=10_000, burst=15_000, refill_amount=10_000, refill_period_seconds=60)
    assert LIMIT == same
    assert {LIMIT: 1}[same] == 1
    assert LIMIT != Limit.per_minute("tpm", 10_000)
    assert copy.deepcopy(LIMIT) == copy.copy(LIMIT) == pickle.loads(pickle.dumps(LIMIT)) == LIMIT
    assert eval(repr(LIMIT)) == LIMIT  # noqa: S307
    assert dataclasses.replace(LIMIT, burst=20_000).burst == 20_000
    with pytest.raises(dataclasses.FrozenInstanceError):
        LIMIT.burst = 1  # type: ignore[misc]
    match LIMIT:
        case Limit("tpm", capacity, burst=burst):
            assert (capacity, burst) == (10_000, 15_000)
        case _:
            pytest.fail("does not match")


def test_limits_by_their_rate() -> None:
    periods = {
        Limit.per_second("n", 5): 1,
        Limit.per_minute("n", 5): 60,
        Limit.per_hour("n", 5): 3_600,
        Limit.per_day("n", 5): 86_400,
    }
    for limit, seconds in periods.items():
        assert limit == Limit.custom("n", 5, 5, seconds) == Limit("n", 5, 5, 5, seconds)
        assert Limit.from_dict(limit.to_dict()) == limit
    assert Limit.per_minute("n", 30).refill_rate == 0.5
    assert list(LIMIT.to_dict()) == [field.name for field in dataclasses.fields(Limit)]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("n", 0, 1, 1, 1), "capacity must be positive"),
        (("n", -5, 1, 1, 1), "capacity must be positive"),
        (("n", 2, 1, 1, 1), "burst must be >= capacity"),
        (("n", 1, 1, 0, 1), "refill_amount must be positive"),
        (("n", 1, 1, 1, 0), "refill_period_seconds must be positive"),
        (("n", 1, 10**30, 1, 1), "burst must be at most 1000000000000"),
        (("a b", 1, 1, 1, 1), "a b"),
    ],
)
def test_what_cannot_be_a_limit(arguments: tuple[Any, ...], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Limit(*arguments)


@pytest.mark.parametrize("argument", [field.name for field in dataclasses.fields(Limit)])
def test_wrong_types_are_named(argument: str) -> None:
    changed: dict[str, Any] = {argument: 1.5}
    with pytest.raises(TypeError, match=f"^{argument} must be "):
        dataclasses.replace(LIMIT, **changed)


def test_names_and_modes() -> None:
    assert (LimitName.RPM, LimitName.TPD) == ("rpm", "tpd")
    assert FailureMode("open") is FailureMode.FAIL_OPEN
    assert FailureMode.FAIL_CLOSED.value == "closed"


def test_entities_and_states() -> None:
    entity = Entity("key-1", parent_id="project-1")
    assert (entity.name, entity.metadata, entity.created_at) == (None, {}, None)
    assert (entity.is_parent, entity.is_child) == (False, True)
    state = BucketState.from_limit("key-1", "gpt-4", LIMIT, 5)
    assert (state.tokens, state.capacity, state.burst) == (15_000, 10_000, 15_000)
    assert (state.last_refill_ms, state.refill_period_ms) == (5, 60_000)
    state.tokens_milli = -1
    assert state.tokens == -1


def test_a_denial_tells_all() -> None:
    error = RateLimitExceeded([status(True, 0.6), status(False), status(True, 0.2, "rpm")])
    assert isinstance(error, RateLimitError)
    assert (len(error.statuses), len(error.violations), len(error.passed)) == (3, 2, 1)
    assert error.primary_violation.limit_name == "tpm"
    assert error.primary_violation.deficit == 1
    assert error.retry_after_seconds == 0.6
    assert error.retry_after_header == "1"
    told = error.as_dict()
    assert told["error"] == "rate_limit_exceeded"
    assert told["message"] == str(error)
    assert (told["retry_after_seconds"], told["retry_after_ms"]) == (0.6, 600)
    assert told["limits"][1] == {
        "entity_id": "key-1",
        "resource": "gpt-4",
        "limit_name": "tpm",
        "capacity": 10_000,
        "burst": 15_000,
        "available": 30,
        "requested": 1,
        "exceeded": False,
        "retry_after_seconds": 0.0,
    }
    assert pickle.loads(pickle.dumps(error)).statuses == error.statuses


@pytest.mark.parametrize(("seconds", "header"), [(0.001, "1"), (1.0, "1"), (1.001, "2"), (60.0, "60")])
def test_seconds_of_the_header_are_rounded_up(seconds: float, header: str) -> None:
    assert RateLimitExceeded([status(True, seconds)]).retry_after_header == header


def test_never_is_no_number_of_json() -> None:
    error = RateLimitExceeded([status(True, math.inf)])
    assert error.as_dict()["retry_after_seconds"] is None
    assert error.as_dict()["limits"][0]["retry_after_seconds"] is None
    assert error.retry_after_header == "2147483648"
    assert "never" in str(error)


def test_a_denial_needs_a_violation() -> None:
    for statuses in ([], [status(False)]):
        with pytest.raises(ValueError, match="violation"):
            RateLimitExceeded(statuses)


def test_the_other_exceptions() -> None:
    cause = OSError("gone")
    unavailable = RateLimiterUnavailable("try later", cause)
    assert (str(unavailable), unavailable.cause) == ("try later", cause)
    for error in (EntityNotFoundError("key-1"), EntityExistsError("key-1"), unavailable):
        assert isinstance(error, RateLimitError)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
    stack = StackAlreadyExistsError("stack-1", "there", [{"a": 1}])
    assert isinstance(stack, StackCreationError)
    assert not isinstance(stack, RateLimitError)
    assert (stack.stack_name, stack.reason, stack.events) == ("stack-1", "there", [{"a": 1}])
    mismatch = VersionMismatchError("1.0.0", "2.0.0", None, "upgrade", can_auto_update=True)
    assert (mismatch.lambda_version, mismatch.can_auto_update) == (None, True)
    schema = IncompatibleSchemaError("1.0.0", "2.0.0", "migrate", "https://example.org")
    assert "https://example.org" in str(schema)
    missing = InfrastructureNotFoundError("limits", "stack-1")
    assert "zae-limiter deploy" in str(missing)
    for version in (mismatch, schema, missing):
        assert isinstance(version, VersionError)
        assert str(pickle.loads(pickle.dumps(version))) == str(version)
