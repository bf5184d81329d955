"""The examples, under uvicorn."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from zae_limiter import Limit, LimitStatus, RateLimitExceeded
from zae_limiter._http import denial, fields

EXAMPLES = Path(__file__).parent.parent / "examples"


@contextmanager
def served(app: str) -> Iterator[httpx.Client]:
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "--port", "0", app]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        said = ""
        for line in server.stderr:
            said += line
            if listening := re.search(r"running on (http://\S+)", line):
                break
        else:
            pytest.fail(said)
        try:
            with httpx.Client(base_url=listening[1], headers={"x-api-key": "key-1"}) as client:
                yield client
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def asgi() -> Iterator[httpx.Client]:
    with served("asgi_app:app") as client:
        yield client


@pytest.fixture(scope="module")
def fast() -> Iterator[httpx.Client]:
    with served("fastapi_app:app") as client:
        yield client


def test_asgi_admits_and_tells_how_the_limits_stand(asgi: httpx.Client) -> None:
    answer = asgi.get("/", headers={"x-api-key": "plain"})
    assert (answer.status_code, answer.text) == (200, "hello")
    assert answer.headers["ratelimit-policy"] == '"requests";q=1;w=10;zae-burst=5'
    assert answer.headers["ratelimit"] == '"requests";r=4;t=10'


def test_asgi_denies(asgi: httpx.Client) -> None:
    key = {"x-api-key": "denied"}
    assert [asgi.get("/", headers=key).status_code for _ in range(5)] == [200] * 5
    answer = asgi.get("/", headers=key)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 10
    assert answer.headers["ratelimit"].startswith('"requests";r=0;t=')
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["error"] == "rate_limit_exceeded"
    assert body["limits"][0]["entity_id"] == "denied"
    assert asgi.get("/health", headers=key).status_code == 200


def test_asgi_settles_by_the_answer(asgi: httpx.Client) -> None:
    key = {"x-api-key": "settled"}
    left = []
    for path in ("/expensive", "/", "/broken", "/"):
        left.append(asgi.get(path, headers=key).headers["ratelimit"].split(";")[1])
    assert left == ["r=4", "r=2", "r=1", "r=1"]


def test_asgi_refuses_what_cannot_be_a_name(asgi: httpx.Client) -> None:
    answer = asgi.get("/", headers={"x-api-key": "a#b"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_fastapi_admits_settles_and_denies(fast: httpx.Client) -> None:
    first = fast.post("/gpt-4", params={"tokens": 700})
    assert (first.status_code, first.json()) == (200, {"used": 700})
    assert first.headers["ratelimit-policy"] == '"rpd";q=100;w=86400, "tpd";q=1000;w=86400'
    assert first.headers["ratelimit"].startswith('"rpd";r=99;t=864, "tpd";r=800;t=17')
    # A call that fails costs nothing.
    assert fast.post("/gpt-4", params={"tokens": -1}).status_code == 422
    second = fast.post("/gpt-4", params={"tokens": 200})
    assert second.headers["ratelimit"].startswith('"rpd";r=98;')
    answer = fast.post("/gpt-4", params={"tokens": 1})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 1
    assert answer.headers["ratelimit"].startswith('"rpd";r=98;')
    assert answer.json()["error"] == "rate_limit_exceeded"
    assert fast.post("/gpt-5", params={"tokens": 1}).status_code == 200


def test_fastapi_refuses_what_cannot_be_a_name(fast: httpx.Client) -> None:
    assert fast.post("/gpt-4", params={"tokens": 1}, headers={"x-api-key": ""}).status_code == 400


def test_fields_of_ancestors_debts_and_waits_without_end() -> None:
    limit = Limit.per_minute("tpm", 60)
    own = LimitStatus("key-1", "gpt-4", "tpm", limit, 61, 61, True, float("inf"))
    above = LimitStatus("project-1", "gpt-4", "tpm", limit, -10, 1, True, 11.0)
    assert fields([own, above]) == [
        ("RateLimit-Policy", '"tpm";q=60;w=60, "tpm/1";q=60;w=60'),
        ("RateLimit", '"tpm";r=61, "tpm/1";r=0;t=70'),
    ]
    assert fields([]) == []
    never = denial(RateLimitExceeded([own]))
    assert "Retry-After" not in dict(never)
    later = dict(denial(RateLimitExceeded([above])))
    assert (later["Retry-After"], later["RateLimit"]) == ("11", '"tpm";r=0;t=11')
