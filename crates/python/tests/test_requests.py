"""What an acquire costs, counted between the limiter and the engine: requests, and units as the engine reports them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from conftest import dynamodb
from zae_limiter import Limit, RateLimiter, RateLimitExceeded, SyncRateLimiter


@dataclass(frozen=True)
class Units:
    """Write units that one request consumed."""

    table: float
    indexes: float

    @classmethod
    def of(cls, consumed: dict[str, Any]) -> Units:
        indexes = consumed.get("GlobalSecondaryIndexes", {}).values()
        return cls(consumed["Table"]["CapacityUnits"], sum(index["CapacityUnits"] for index in indexes))


class Counted(ThreadingHTTPServer):
    """Passes everything on to an engine, and remembers what was asked for and what it consumed."""

    daemon_threads = True

    def __init__(self, engine: str) -> None:
        super().__init__(("127.0.0.1", 0), Forward)
        self.engine = urlsplit(engine).netloc
        self.asked: list[str] = []
        self.consumed: list[Units] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def take(self) -> list[str]:
        """What was asked for since the last look."""
        asked, self.asked = self.asked, []
        return asked

    def take_consumed(self) -> list[Units]:
        """What the answers since the last look say was consumed."""
        consumed, self.consumed = self.consumed, []
        return consumed


class Forward(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Counted

    def setup(self) -> None:
        super().setup()
        self.onward = http.client.HTTPConnection(self.server.engine)

    def finish(self) -> None:
        self.onward.close()
        super().finish()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.headers["X-Amz-Target"].partition(".")[2])
        self.onward.request("POST", self.path, body, dict(self.headers))
        answer = self.onward.getresponse()
        content = answer.read()
        if consumed := json.loads(content).get("ConsumedCapacity"):
            self.server.consumed.append(Units.of(consumed))
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def counted(endpoint: str) -> Iterator[Counted]:
    with Counted(endpoint) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


# Thousands flow in while one request is under way.
FAST = [Limit.custom("rpm", 10_000_000, 10_000_000, 1), Limit.custom("tpm", 10_000_000, 10_000_000, 1)]
SLOW = [Limit.custom("rpm", 10, 1, 1_000_000), Limit.custom("tpm", 1_000, 1, 1_000_000)]


async def test_an_acquire_is_one_request(counted: Counted, table: str) -> None:
    async with RateLimiter(store=dynamodb(counted.url, table)) as limiter:
        counted.take()

        # A bucket that nobody has ever seen.
        async with limiter.acquire("key-1", "gpt-4", SLOW, {"rpm": 1, "tpm": 100}):
            assert counted.take() == ["UpdateItem"]
        assert counted.take() == []

        # One that is known.
        for _ in range(3):
            async with limiter.acquire("key-1", "gpt-4", SLOW, {"rpm": 1, "tpm": 100}):
                assert counted.take() == ["UpdateItem"]
            assert counted.take() == []

        # What is adjusted is written once, at the end.
        async with limiter.acquire("key-1", "gpt-4", SLOW, {"rpm": 1, "tpm": 100}) as lease:
            await lease.adjust(tpm=50)
            await lease.adjust(tpm=-20)
            assert counted.take() == ["UpdateItem"]
        assert counted.take() == ["UpdateItem"]


async def test_tokens_that_come_from_refill_are_one_request(counted: Counted, table: str) -> None:
    async with RateLimiter(store=dynamodb(counted.url, table)) as limiter:
        async with limiter.acquire("key-1", "gpt-4", FAST, {"rpm": 10_000_000, "tpm": 10_000_000}):
            pass
        counted.take()
        # The bucket was left empty, so all of this has come in since.
        async with limiter.acquire("key-1", "gpt-4", FAST, {"rpm": 1, "tpm": 100}):
            assert counted.take() == ["UpdateItem"]
        assert counted.take() == []


async def test_a_warm_acquire_is_one_unit_and_none_of_an_index(counted: Counted, table: str) -> None:
    async with RateLimiter(store=f"{dynamodb(counted.url, table)}&measure=true") as limiter:
        counted.take_consumed()

        # The index on resources learns of a bucket once.
        async with limiter.acquire("key-1", "gpt-4", SLOW, {"rpm": 1, "tpm": 100}):
            pass
        assert counted.take_consumed() == [Units(table=1, indexes=1)]

        for _ in range(3):
            async with limiter.acquire("key-1", "gpt-4", SLOW, {"rpm": 1, "tpm": 100}):
                pass
        assert counted.take_consumed() == [Units(table=1, indexes=0)] * 3


def test_without_an_event_loop_it_is_as_many(counted: Counted, table: str) -> None:
    with SyncRateLimiter(store=dynamodb(counted.url, table)) as limiter:
        counted.take()
        for _ in range(2):
            with limiter.acquire("key-1", "gpt-4", SLOW, {"rpm": 4}):
                pass
            assert counted.take() == ["UpdateItem"]
        with pytest.raises(RateLimitExceeded), limiter.acquire("key-1", "gpt-4", SLOW, {"rpm": 4}):
            pass
        assert len(counted.take()) <= 1
