"""Stores that the tests run on, each with its engine."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from zae_limiter import Limit, RateLimiter, SyncRateLimiter

ENDPOINT = "ZAE_LIMITER_TEST_ENDPOINT"
"""Where another engine listens, on which the tests run too."""
DYNOXIDE = "ZAE_LIMITER_TEST_DYNOXIDE"
"""The program of the engine that the tests start themselves."""

COMPLETE = "ZAE_LIMITER_TEST_COMPLETE"
"""With this set, no test may be left out."""

ENGINES = ["dynoxide"] + (["endpoint"] if os.environ.get(ENDPOINT) else [])
STORES = ["memory", "sqlite", *ENGINES]


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def dynoxide() -> Iterator[str]:
    program = os.environ.get(DYNOXIDE)
    if not program:
        assert not os.environ.get(COMPLETE), f"{DYNOXIDE} names no engine"
        pytest.skip(f"{DYNOXIDE} names no engine")
    # It ends with its standard input.
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        assert engine.stdin is not None
        yield engine.stdout.readline().strip()
        engine.stdin.close()


Engine = Callable[[str], str]


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Engine:
    """The endpoint of an engine, by name."""

    def endpoint(name: str) -> str:
        return os.environ[ENDPOINT] if name == "endpoint" else str(request.getfixturevalue("dynoxide"))

    return endpoint


@pytest.fixture(params=ENGINES)
def endpoint(request: pytest.FixtureRequest, engine: Engine) -> str:
    """Where a DynamoDB listens: every engine in turn."""
    return engine(request.param)


@pytest.fixture
def table() -> str:
    """A name that no other test has for its table."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path, table: str) -> str:
    """The URL of a new store: every kind in turn."""
    if request.param == "memory":
        return "memory:"
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/limits.db"
    return dynamodb(engine(request.param), table)


def dynamodb(endpoint: str, table: str) -> str:
    """The URL of a table that is created when it is first used."""
    return f"dynamodb://{table}?region=us-east-1&create=true&endpoint_url={endpoint}"


@pytest.fixture
async def limiter(store: str) -> AsyncIterator[RateLimiter]:
    async with RateLimiter(store=store) as limiter:
        yield limiter


@pytest.fixture
def sync_limiter(store: str) -> Iterator[SyncRateLimiter]:
    with SyncRateLimiter(store=store) as limiter:
        yield limiter


@pytest.fixture
def limits() -> list[Limit]:
    """Of which nothing flows in during a test."""
    return [Limit.custom("rpm", 100, 1, 1_000_000), Limit.custom("tpm", 1_000, 1, 1_000_000)]
