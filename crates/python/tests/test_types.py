"""What type checkers and editors see."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import zae_limiter
from zae_limiter import RateLimiter, SyncRateLimiter

ROOT = Path(__file__).parent.parent


def check(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_has_nothing_to_say(tmp_path: Path) -> None:
    check("mypy", "--strict", "--cache-dir", str(tmp_path))


def test_the_stubs_are_what_is_there() -> None:
    check("mypy.stubtest", "zae_limiter")


def test_all_that_is_public_is_documented() -> None:
    assert (Path(zae_limiter.__file__).parent / "py.typed").exists()
    for name in zae_limiter.__all__:
        thing = getattr(zae_limiter, name)
        if not inspect.isclass(thing):
            continue
        assert thing.__doc__, name
        for member, value in vars(thing).items():
            public = not member.startswith("_") and (callable(value) or isinstance(value, property))
            if public and thing.__module__.startswith("zae_limiter"):
                assert inspect.getdoc(getattr(thing, member)), f"{name}.{member}"


@pytest.mark.parametrize(
    "method", sorted(name for name in vars(RateLimiter) if not name.startswith("_"))
)
def test_both_limiters_have_the_same_methods(method: str) -> None:
    one, other = getattr(RateLimiter, method), getattr(SyncRateLimiter, method)
    assert inspect.signature(one).parameters == inspect.signature(other).parameters
    assert inspect.iscoroutinefunction(one) == (method != "acquire")
    assert not inspect.iscoroutinefunction(other)


def test_signatures_can_be_seen() -> None:
    assert str(inspect.signature(zae_limiter.Lease.consume)) == "(self, /, **amounts)"
    acquire = list(inspect.signature(RateLimiter.acquire).parameters)
    assert acquire[1:5] == ["entity_id", "resource", "limits", "consume"]
    first = list(inspect.signature(RateLimiter).parameters)
    assert first[0] == "table_name"
