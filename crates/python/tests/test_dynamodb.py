"""Programs as they are written for a table, on an engine."""

from __future__ import annotations

import asyncio
import warnings

import httpx
import pytest

from zae_limiter import (
    IncompatibleSchemaError,
    InfrastructureNotFoundError,
    Limit,
    LimitName,
    RateLimiter,
    RateLimitExceeded,
    StackManager,
    SyncRateLimiter,
    VersionMismatchError,
)
from zae_limiter.schema import pk_system, sk_version


async def test_a_program_for_the_first_version_runs_unchanged(endpoint: str, table: str) -> None:
    limiter = RateLimiter(
        table_name=table, region="us-east-1", endpoint_url=endpoint, create_stack=True
    )
    async with limiter:
        project = await limiter.create_entity(entity_id="proj-1", name="Production")
        await limiter.create_entity(entity_id="key-abc", parent_id=project.id)
        limits = [
            Limit.per_minute(LimitName.RPM, 100),
            Limit.per_minute("tpm", 10_000, burst=12_000),
        ]
        await limiter.set_limits("proj-1", limits, resource="gpt-4")
        async with limiter.acquire(
            entity_id="key-abc",
            resource="gpt-4",
            limits=limits,
            consume={"rpm": 1, "tpm": 500},
            cascade=True,
            use_stored_limits=True,
        ) as lease:
            await lease.adjust(tpm=-100)
        available = await limiter.available("key-abc", "gpt-4", limits)
        assert available["rpm"] >= 99
        assert 11_600 <= available["tpm"] < 12_000
        capacity = await limiter.get_resource_capacity("gpt-4", "tpm", parents_only=True)
        assert [entity.entity_id for entity in capacity.entities] == ["proj-1"]
        try:
            async with limiter.acquire("key-abc", "gpt-4", limits, {"tpm": 12_001}):
                pytest.fail("was admitted")
        except RateLimitExceeded as error:
            assert error.as_dict()["limits"][1]["limit_name"] == "tpm"
        await limiter.delete_table()
    await limiter.close()


def test_the_same_without_an_event_loop(endpoint: str, table: str) -> None:
    limits = [Limit.custom("rpd", 10, 1, 1_000_000)]
    with SyncRateLimiter(table, "us-east-1", endpoint, create_stack=True) as limiter:
        with limiter.acquire("key-1", "gpt-4", limits, consume={"rpd": 4}) as lease:
            lease.consume(rpd=2)
        assert limiter.available("key-1", "gpt-4", limits) == {"rpd": 4}
        assert limiter.time_until_available("key-1", "gpt-4", limits, {"rpd": 4}) == 0.0


async def test_tables_are_created_and_deleted(endpoint: str, table: str) -> None:
    limiter = RateLimiter(table, "us-east-1", endpoint)
    with pytest.raises(InfrastructureNotFoundError):
        await limiter.get_entity("key-1")
    await limiter.create_table()
    await limiter.create_table()
    assert await limiter.get_entity("key-1") is None
    await limiter.delete_table()
    with pytest.raises(InfrastructureNotFoundError):
        await limiter.get_entity("key-1")


async def test_where_there_is_an_endpoint_a_stack_is_the_table_alone(
    endpoint: str, table: str
) -> None:
    async with StackManager(table, "us-east-1", endpoint) as manager:
        assert manager.get_stack_name() == f"zae-limiter-{table}"
        created = await manager.create_stack()
        assert (created["stack_id"], created["status"]) == (None, "skipped_local")
        assert not await manager.stack_exists()
    limiter = RateLimiter(table, "us-east-1", endpoint)
    assert await limiter.get_entity("key-1") is None
    assert (await limiter.create_stack())["stack_name"] is None
    await limiter.delete_stack()
    with SyncRateLimiter(table, "us-east-1", endpoint, create_stack=True) as sync:
        assert sync.create_stack()["status"] == "skipped_local"
        sync.delete_table()


async def test_a_second_client_opens_the_table_without_an_error(endpoint: str, table: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            async with RateLimiter(table, "us-east-1", endpoint, create_stack=True) as limiter:
                async with limiter.acquire("key-1", "gpt-4", [Limit.per_day("rpd", 10)], {"rpd": 1}):
                    pass


async def test_what_is_consumed_is_written_on_entry(endpoint: str, table: str) -> None:
    limits = [Limit.custom("rpm", 10, 1, 1_000_000)]
    one = RateLimiter(table, "us-east-1", endpoint, create_stack=True)
    other = RateLimiter(table, "us-east-1", endpoint)
    async with one.acquire("key-1", "gpt-4", limits, {"rpm": 4}):
        assert await other.available("key-1", "gpt-4", limits) == {"rpm": 6}


async def test_many_tasks_may_open_a_limiter_at_once(endpoint: str, table: str) -> None:
    limits = [Limit.custom("rpm", 100, 1, 1_000_000)]
    limiter = RateLimiter(table, "us-east-1", endpoint, create_stack=True)

    async def one() -> None:
        async with limiter.acquire("key-1", "gpt-4", limits, {"rpm": 1}):
            pass

    await asyncio.gather(*(one() for _ in range(20)))
    assert await limiter.available("key-1", "gpt-4", limits) == {"rpm": 80}


def write_version(endpoint: str, table: str, **versions: str) -> None:
    """Writes a version record as another client would."""
    item = {"PK": pk_system(), "SK": sk_version(), **versions}
    credential = "Credential=local/20250101/us-east-1/dynamodb/aws4_request"
    headers = {
        "X-Amz-Target": "DynamoDB_20120810.PutItem",
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Date": "20250101T000000Z",
        "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0",
    }
    put = {"TableName": table, "Item": {name: {"S": value} for name, value in item.items()}}
    httpx.post(endpoint, json=put, headers=headers).raise_for_status()


async def test_versions_that_do_not_go_together(endpoint: str, table: str) -> None:
    async def opened(**options: bool) -> None:
        async with RateLimiter(table, "us-east-1", endpoint, **options):  # type: ignore[arg-type]
            pass

    await RateLimiter(table, "us-east-1", endpoint).create_table()
    own = {"schema_version": "1.0.0", "client_min_version": "0.1.0"}

    write_version(endpoint, table, **{**own, "schema_version": "0.9.0"})
    with pytest.raises(IncompatibleSchemaError, match="migrate") as schema:
        await opened()
    assert schema.value.schema_version == "0.9.0"

    write_version(endpoint, table, **{**own, "client_min_version": "99.0.0"})
    with pytest.raises(VersionMismatchError, match="upgrade") as client:
        await opened()
    assert not client.value.can_auto_update
    await opened(skip_version_check=True)

    write_version(endpoint, table, **own, lambda_version="0.0.1")
    await opened()
    await opened(auto_update=False, strict_version=False)
    with pytest.raises(VersionMismatchError) as function:
        await opened(auto_update=False)
    assert function.value.lambda_version == "0.0.1"
    assert function.value.can_auto_update
