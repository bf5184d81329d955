"""Entities, stored limits, capacity and usage, on every store."""

from __future__ import annotations

import pytest

from zae_limiter import (
    Entity,
    EntityCapacity,
    EntityExistsError,
    Limit,
    RateLimiter,
    ResourceCapacity,
)


async def test_entities(limiter: RateLimiter) -> None:
    project = await limiter.create_entity("project-1", "Search", metadata={"tier": "gold"})
    assert (project.id, project.name, project.metadata) == ("project-1", "Search", {"tier": "gold"})
    assert project.is_parent
    key = await limiter.create_entity("key-1", parent_id="project-1")
    assert (key.name, key.is_child) == ("key-1", True)
    assert key.created_at is not None
    assert key.created_at.endswith("Z")

    assert await limiter.get_entity("project-1") == project
    assert await limiter.get_children("project-1") == [key]
    with pytest.raises(EntityExistsError) as exists:
        await limiter.create_entity("key-1")
    assert exists.value.entity_id == "key-1"

    await limiter.delete_entity("key-1")
    await limiter.delete_entity("key-1")
    assert await limiter.get_entity("key-1") is None
    assert await limiter.get_children("project-1") == []
    assert isinstance(project, Entity)


async def test_an_entity_cannot_be_its_own_ancestor(limiter: RateLimiter) -> None:
    await limiter.create_entity("a", parent_id="b")
    with pytest.raises(ValueError, match="its own ancestor"):
        await limiter.create_entity("b", parent_id="a")


async def test_stored_limits_apply_most_specific_first(limiter: RateLimiter) -> None:
    def limit(capacity: int) -> list[Limit]:
        return [Limit.per_minute("rpm", capacity)]

    async def left() -> int:
        return (await limiter.available("key-1", "gpt-4", limit(1), use_stored_limits=True))["rpm"]

    assert await left() == 1
    for capacity, (entity_id, resource) in enumerate(
        [(None, "_default_"), (None, "gpt-4"), ("key-1", "_default_"), ("key-1", "gpt-4")], start=2
    ):
        await limiter.set_limits(entity_id, limit(capacity), resource)
        assert await limiter.get_limits(entity_id, resource) == limit(capacity)
        assert await left() == capacity
    assert (await limiter.available("key-1", "gpt-4"))["rpm"] == 5
    assert (await limiter.available("key-1", "gpt-4", limit(9)))["rpm"] == 9
    await limiter.delete_limits("key-1", "gpt-4")
    assert await limiter.get_limits("key-1", "gpt-4") == []
    assert await left() == 4


async def test_acquire_by_stored_limits(limiter: RateLimiter) -> None:
    with pytest.raises(ValueError, match="no limits apply to key-1 on gpt-4"):
        async with limiter.acquire("key-1", "gpt-4", None, {"rpm": 1}):
            pass
    await limiter.set_limits("key-1", [Limit.per_day("rpm", 7)])
    absent: list[list[Limit] | None] = [None, []]
    for limits in absent:
        async with limiter.acquire("key-1", "gpt-4", limits, {"rpm": 1}, use_stored_limits=True):
            pass
    assert await limiter.available("key-1", "gpt-4", use_stored_limits=True) == {"rpm": 5}


async def test_changed_limits_take_effect_and_keep_the_balance(limiter: RateLimiter) -> None:
    before = [Limit.custom("tpm", 100, 1, 1_000_000)]
    after = [Limit.custom("tpm", 50, 1, 1_000_000)]
    async with limiter.acquire("key-1", "gpt-4", before, {"tpm": 30}):
        pass
    async with limiter.acquire("key-1", "gpt-4", after, {"tpm": 10}):
        pass
    assert await limiter.available("key-1", "gpt-4", after) == {"tpm": 40}


async def test_capacity_over_all_entities(limiter: RateLimiter) -> None:
    limits = [Limit.custom("tpm", 1_000, 1, 1_000_000)]
    await limiter.create_entity("key-2", parent_id="key-1")
    for key, tokens in (("key-1", 100), ("key-2", 500)):
        async with limiter.acquire(key, "gpt-4", limits, {"tpm": tokens}):
            pass
    capacity = await limiter.get_resource_capacity("gpt-4", "tpm")
    one = EntityCapacity("key-1", 1_000, 900, 10.0)
    two = EntityCapacity("key-2", 1_000, 500, 50.0)
    assert capacity == ResourceCapacity("gpt-4", "tpm", 2_000, 1_400, 30.0, [one, two])
    parents = await limiter.get_resource_capacity("gpt-4", "tpm", parents_only=True)
    assert parents.entities == [one]


@pytest.mark.parametrize("store", ["memory", "sqlite"], indirect=True)
async def test_usage(limiter: RateLimiter, limits: list[Limit]) -> None:
    async with limiter.acquire("key-1", "gpt-4", limits, {"rpm": 1, "tpm": 20}) as lease:
        await lease.adjust(tpm=3)
    with pytest.raises(ValueError, match="^undone$"):
        async with limiter.acquire("key-1", "gpt-4", limits, {"rpm": 1}):
            raise ValueError("undone")
    (snapshot,) = await limiter.get_usage("key-1", window="monthly")
    assert (snapshot.entity_id, snapshot.resource) == ("key-1", "gpt-4")
    assert snapshot.window_type == "monthly"
    assert snapshot.window_start < snapshot.window_end
    assert {name: used for name, used in snapshot.counters.items() if used} == {"rpm": 1, "tpm": 23}
    assert snapshot.total_events == 1
    assert await limiter.get_usage("key-1", start=0, end=1) == []
    with pytest.raises(ValueError, match="window"):
        await limiter.get_usage("key-1", window="yearly")
