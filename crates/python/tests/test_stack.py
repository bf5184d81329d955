"""Stacks, on an emulator of AWS that ``cargo xtask test`` starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from conftest import COMPLETE
from test_dynamodb import write_version
from zae_limiter import (
    Limit,
    RateLimiter,
    StackAlreadyExistsError,
    StackCreationError,
    StackManager,
    SyncRateLimiter,
    VersionMismatchError,
)

REGION = "us-east-1"
LIMITS = [Limit.custom("rpm", 10, 1, 1_000_000)]
EXECUTABLE = "ZAE_LIMITER_EXECUTABLE"
SERVICES = ("DYNAMODB", "CLOUDFORMATION", "LAMBDA", "S3")
ASK = Path(__file__).parents[2] / "cli/tests/aws/aws.py"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The emulator's endpoint, which the environment names too. No executable can be found."""
    endpoint = os.environ.get("ZAE_LIMITER_TEST_AWS")
    if not endpoint:
        assert not os.environ.get(COMPLETE), "there is no emulator of AWS"
        pytest.skip("there is no emulator of AWS (cargo xtask test starts it)")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("PATH", str(tmp_path))
    return endpoint


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> str:
    """The executable that becomes the function, named."""
    executable = os.environ["ZAE_LIMITER_TEST_RELEASE"]
    monkeypatch.setenv(EXECUTABLE, executable)
    return executable


def inventory(endpoint: str, table: str) -> list[str]:
    """All that the emulator has of a table and its stack."""
    command = [os.environ["ZAE_LIMITER_TEST_PYTHON"], str(ASK), endpoint, "inventory"]
    done = subprocess.run([*command, table, f"zae-limiter-{table}"], capture_output=True, check=True)
    # A function that is being deleted may still write, which makes its log anew.
    return [name for name in json.loads(done.stdout) if not name.startswith("/aws/lambda/")]


def on_aws(endpoint: str, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program for which the emulator is AWS: no endpoint is named for all services at once."""
    environment = {name: value for name, value in os.environ.items() if name != "AWS_ENDPOINT_URL"}
    environment |= {f"AWS_ENDPOINT_URL_{service}": endpoint for service in SERVICES}
    start = f"from zae_limiter import *\nimport sys\ntable, *arguments = sys.argv[1:]\n{program}"
    command = [sys.executable, "-W", "always", "-c", start, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


async def test_a_stack_is_created_used_and_deleted(aws: str, release: str, table: str) -> None:
    async with StackManager(table, REGION) as manager:
        assert not await manager.stack_exists()
        created = await manager.create_stack(parameters={"retention_days": "30"})
        assert created["stack_name"] == manager.get_stack_name() == f"zae-limiter-{table}"
        assert created["stack_id"] and created["status"] == await manager.get_stack_status()
        there = inventory(aws, table)
        assert table in there and any(":function:" in name for name in there)

        # What is there stays as it is, with or without an executable.
        os.environ.pop(EXECUTABLE)
        again = await RateLimiter(table, REGION).create_stack()
        assert (again["stack_id"], again["status"]) == (created["stack_id"], created["status"])
        assert inventory(aws, table) == there

        async with RateLimiter(table, REGION) as limiter:
            async with limiter.acquire("key-1", "gpt-4", LIMITS, {"rpm": 4}):
                pass
            assert await limiter.available("key-1", "gpt-4", LIMITS) == {"rpm": 6}

        with pytest.raises(StackAlreadyExistsError, match=f"of table {table}") as other:
            await StackManager(f"{table}-2", REGION).create_stack(manager.get_stack_name())
        assert other.value.stack_name == manager.get_stack_name()

        await manager.delete_stack()
        assert inventory(aws, table) == []
        assert await manager.get_stack_status() is None
        await manager.delete_stack()


def test_without_an_executable_there_is_no_function(aws: str, table: str) -> None:
    limiter = SyncRateLimiter(table, REGION)
    with pytest.raises(StackCreationError, match="no executable of zae-limiter") as wanted:
        limiter.create_stack(parameters={"EnableAggregator": "true"})
    assert "zae-limiter deploy" in wanted.value.reason
    assert inventory(aws, table) == []
    with pytest.warns(RuntimeWarning, match=f"zae-limiter deploy --table-name {table}"):
        created = limiter.create_stack()
    assert inventory(aws, table).count(table) == 1
    assert not any(":function:" in name for name in inventory(aws, table))
    with limiter.acquire("key-1", "gpt-4", LIMITS, {"rpm": 4}):
        pass
    limiter.delete_stack(created["stack_name"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        limiter.create_stack(parameters={"enable_aggregator": "false"})
    limiter.delete_stack()
    assert inventory(aws, table) == []


def test_what_is_no_executable_is_not_the_function(
    aws: str, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As the command of the wheel: a script, which is passed over.
    script = tmp_path / "zae-limiter"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    limiter = SyncRateLimiter(table, REGION)
    with pytest.raises(StackCreationError, match="no executable of zae-limiter"):
        limiter.create_stack(parameters={"EnableAggregator": "true"})
    monkeypatch.setenv(EXECUTABLE, str(script))
    with pytest.raises(StackCreationError, match=EXECUTABLE):
        limiter.create_stack()
    assert inventory(aws, table) == []


def test_a_table_without_a_stack_does_not_become_part_of_one(aws: str, table: str) -> None:
    limiter = SyncRateLimiter(table, REGION, stack_parameters={"EnableAggregator": "false"})
    limiter.create_table()
    with pytest.raises(StackAlreadyExistsError, match="exists already"):
        limiter.create_stack()
    limiter.delete_table()


def test_what_cannot_be_right_is_told_before_anything_is_done() -> None:
    with pytest.raises(ValueError, match="no parameter \"Colour\""):
        RateLimiter("limits", REGION, create_stack=True, stack_parameters={"colour": "red"})
    with pytest.raises(ValueError, match="expected true or false"):
        SyncRateLimiter("limits", REGION).create_stack(parameters={"EnableAggregator": "maybe"})
    with pytest.raises(ValueError, match="stack name"):
        SyncRateLimiter("limits", REGION).delete_stack("no_name")
    assert StackManager("rate_limits").get_stack_name() == "zae-limiter-rate-limits"


OPENED = """
options = dict(zip(arguments[::2], (value == "True" for value in arguments[1::2])))
limits = [Limit.custom("rpm", 10, 1, 1_000_000)]
with SyncRateLimiter(table, "us-east-1", **options) as limiter:
    with limiter.acquire("key-1", "gpt-4", limits, {"rpm": 1}):
        print(limiter.available("key-1", "gpt-4", limits))
"""


def test_a_limiter_creates_the_stack_that_it_needs(aws: str, table: str) -> None:
    missing = on_aws(aws, OPENED, table)
    assert "InfrastructureNotFoundError" in missing.stderr
    assert inventory(aws, table) == []
    first = on_aws(aws, OPENED, table, "create_stack", "True")
    assert first.stdout == "{'rpm': 9}\n", first.stderr
    assert "RuntimeWarning" in first.stderr and "zae-limiter deploy" in first.stderr
    again = f"print(SyncRateLimiter(table, '{REGION}').create_stack()['stack_name'])"
    assert on_aws(aws, again, table).stdout == f"zae-limiter-{table}\n"
    second = on_aws(aws, OPENED, table, "create_stack", "True")
    assert (second.stdout, second.stderr) == ("{'rpm': 8}\n", "")
    SyncRateLimiter(table, REGION).delete_stack()
    assert inventory(aws, table) == []


def test_a_limiter_brings_an_old_function_up_to_date(aws: str, release: str, table: str) -> None:
    limiter = SyncRateLimiter(table, REGION)
    limiter.create_stack()
    own = {"schema_version": "1.0.0", "client_min_version": "0.1.0"}
    write_version(aws, table, **own, lambda_version="0.0.1")

    refused = on_aws(aws, OPENED, table, "auto_update", "False")
    assert "VersionMismatchError" in refused.stderr and "0.0.1" in refused.stderr
    left = on_aws(aws, OPENED, table, "auto_update", "False", "strict_version", "False")
    assert (left.stdout, left.stderr) == ("{'rpm': 9}\n", "")

    # With nothing to update it to, it is as if it were not to be updated, but that is told.
    os.environ.pop(EXECUTABLE)
    failed = on_aws(aws, OPENED, table)
    assert "VersionMismatchError" in failed.stderr and "no executable" in failed.stderr
    told = on_aws(aws, OPENED, table, "strict_version", "False")
    assert told.stdout == "{'rpm': 8}\n"
    assert "RuntimeWarning" in told.stderr and "not brought up to date" in told.stderr

    os.environ[EXECUTABLE] = release
    updated = on_aws(aws, OPENED, table)
    assert (updated.stdout, updated.stderr) == ("{'rpm': 7}\n", "")
    del os.environ[EXECUTABLE]
    after = on_aws(aws, OPENED, table, "auto_update", "False")
    assert (after.stdout, after.stderr) == ("{'rpm': 6}\n", "")

    # Never where there is an endpoint.
    write_version(aws, table, **own, lambda_version="0.0.1")
    with SyncRateLimiter(table, REGION, aws):
        pass
    with SyncRateLimiter(table, REGION):
        pass
    with pytest.raises(VersionMismatchError):
        SyncRateLimiter(table, REGION, aws, auto_update=False).__enter__()
    limiter.delete_stack()
