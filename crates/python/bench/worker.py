"""Measures one package in the environment that it is installed in, and prints the figures as JSON.

    python worker.py PACKAGE [ENDPOINT] [--quick]

PACKAGE is ``zae-limiter`` (of either implementation) or ``limits``.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

QUICK = "--quick" in sys.argv
# Beyond all that a measurement takes, so that nothing is denied.
PLENTY = 1_000_000_000
# Made by the bench of the store: without a stream, which an engine gets slower with. Both implementations have the same keys.
TABLE = "rate"
Take = Callable[[str], Awaitable[None]]


def microseconds(work: Callable[[int], None], count: int) -> float:
    """The median over several rounds of what one turn takes."""
    rounds = []
    for _ in range(3 if QUICK else 9):
        began = time.perf_counter()
        work(count)
        rounds.append((time.perf_counter() - began) / count * 1e6)
    return statistics.median(rounds)


def in_memory() -> dict[str, float]:
    from zae_limiter import Limit, RateLimiter, SyncRateLimiter

    sync, limiter = SyncRateLimiter(store="memory:"), RateLimiter(store="memory:")
    limits, consume = [Limit.per_minute("rpm", PLENTY)], {"rpm": 1}

    def with_sync(count: int) -> None:
        for _ in range(count):
            with sync.acquire("key-1", "gpt-4", limits, consume):
                pass

    async def turns(count: int) -> None:
        for _ in range(count):
            async with limiter.acquire("key-1", "gpt-4", limits, consume):
                pass

    def with_async(count: int) -> None:
        asyncio.run(turns(count))

    count = 10_000 if QUICK else 50_000
    return {
        "memory_sync_us": microseconds(with_sync, count),
        "memory_async_us": microseconds(with_async, count),
        "import_ms": import_ms(),
    }


def import_ms() -> float:
    """What an interpreter takes to import the package, without its own start."""
    program = "import time; t = time.perf_counter(); import zae_limiter; print((time.perf_counter() - t) * 1e3)"
    command = [sys.executable, "-c", program]
    return statistics.median(float(subprocess.check_output(command)) for _ in range(5))


def limits_in_memory() -> dict[str, float]:
    from limits import parse, storage, strategies

    limiter = strategies.FixedWindowRateLimiter(storage.MemoryStorage())
    item = parse(f"{PLENTY}/minute")

    def hit(count: int) -> None:
        for _ in range(count):
            limiter.hit(item, "key-1", "gpt-4")

    return {"memory_sync_us": microseconds(hit, 10_000 if QUICK else 50_000)}


async def our_take(endpoint: str) -> tuple[Take, Any]:
    from zae_limiter import Limit, RateLimiter

    limiter: Any = RateLimiter(TABLE, "us-east-1", endpoint)
    limits = [Limit.per_minute("rpm", PLENTY), Limit.per_minute("tpm", PLENTY)]
    consume = {"rpm": 1, "tpm": 500}

    async def take(entity_id: str) -> None:
        async with limiter.acquire(entity_id, "gpt-4", limits, consume):
            pass

    return take, limiter


async def their_take(endpoint: str) -> tuple[Take, Any]:
    from zae_limiter import Limit, RateLimiter, Repository  # type: ignore[attr-defined]

    repository = Repository(TABLE, "us-east-1", endpoint, _skip_deprecation_warning=True)
    await repository.register_namespace("default")
    limiter: Any = RateLimiter(repository=repository)
    limits = [Limit.per_minute("rpm", PLENTY), Limit.per_minute("tpm", PLENTY)]
    consume = {"rpm": 1, "tpm": 500}

    async def take(entity_id: str) -> None:
        async with limiter.acquire(
            entity_id=entity_id, resource="gpt-4", limits=limits, consume=consume
        ):
            pass

    return take, limiter


async def on_a_table(endpoint: str) -> dict[str, float]:
    ours = importlib.metadata.version("zae-limiter") != "0.17.0"
    take, limiter = await (our_take(endpoint) if ours else their_take(endpoint))
    count = 300 if QUICK else 1_000
    await take("warm")
    for _ in range(50):
        await take("warm")

    latencies = []
    used = time.process_time()
    for _ in range(count):
        began = time.perf_counter()
        await take("warm")
        latencies.append(time.perf_counter() - began)
    used = time.process_time() - used

    async def together(entities: Callable[[int], str]) -> float:
        tasks, each = 64, 4 if QUICK else 32

        async def some(task: int) -> None:
            for _ in range(each):
                await take(entities(task))

        await asyncio.gather(*(take(entities(task)) for task in range(tasks)))
        began = time.perf_counter()
        await asyncio.gather(*(some(task) for task in range(tasks)))
        return tasks * each / (time.perf_counter() - began)

    figures = {
        "table_cpu_ms": used / count * 1e3,
        "table_median_ms": statistics.median(latencies) * 1e3,
        "table_64_entities_per_s": await together(lambda task: f"key-{task}"),
        "table_one_entity_per_s": await together(lambda task: "hot"),
    }
    await limiter.close()
    return figures


def main() -> None:
    package, *rest = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.setdefault(name, "local")
    figures: dict[str, float] = {}
    if package == "limits":
        figures = limits_in_memory()
    elif rest:
        figures = asyncio.run(on_a_table(rest[0]))
    else:
        figures = in_memory()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
