"""Forks, several processes, and the end of the interpreter. Each in an interpreter of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PRELUDE = """
import asyncio, gc, os, sys, threading
from zae_limiter import *
KEY = ("key-1", "gpt-4")
LIMITS = [Limit.custom("rpm", 100, 1, 1_000_000)]
store = sys.argv[1]

def child(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException as error:
            print(repr(error), file=sys.stderr)
        finally:
            os._exit(code)
    return pid

def join(*pids):
    for pid in pids:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def run(script: str, *arguments: str) -> str:
    program = PRELUDE + textwrap.dedent(script)
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SHARED = pytest.mark.parametrize(
    "store", [name for name in ("sqlite", "dynoxide")], indirect=True
)


def test_a_limiter_made_before_a_fork_works_in_every_child(store: str) -> None:
    left = run(
        """
        sync, limiter = SyncRateLimiter(store=store), RateLimiter(store=store)
        async def take():
            async with limiter.acquire(*KEY, LIMITS, {"rpm": 1}):
                await asyncio.sleep(0)
        def both():
            for _ in range(3):
                with sync.acquire(*KEY, LIMITS, {"rpm": 1}):
                    pass
                asyncio.run(take())
        both()
        join(*(child(lambda: (both(), join(child(both)))) for _ in range(4)))
        both()
        print(sync.available(*KEY, LIMITS)["rpm"] + limiter._available(*KEY, LIMITS, False).wait()["rpm"])
        """,
        store,
    )
    own = 12
    # Each limiter in memory is its own; of the others all processes share one.
    assert int(left) == (200 - own if store == "memory:" else 2 * (100 - own - 4 * 2 * 6))


def test_a_lease_is_not_the_childs_to_settle(store: str) -> None:
    left = run(
        """
        limiter = SyncRateLimiter(store=store)
        def leave():
            try:
                lease.adjust(rpm=1)
            except RuntimeError as error:
                assert "forked" in str(error), error
            else:
                raise AssertionError("adjusted")
            raise SystemExit
        def abandon():
            global acquire, lease
            acquire = lease = None
            gc.collect()
        acquire = limiter.acquire(*KEY, LIMITS, {"rpm": 10})
        lease = acquire.__enter__()
        lease.adjust(rpm=5)
        join(child(lambda: acquire.__exit__(None, None, None)))
        join(child(lambda: acquire.__exit__(ValueError, ValueError(), None)))
        join(child(abandon))
        def told():
            try:
                leave()
            except SystemExit:
                pass
        join(child(told))
        acquire.__exit__(None, None, None)
        print(limiter.available(*KEY, LIMITS)["rpm"])
        """,
        store,
    )
    assert left == "85"


@SHARED
def test_four_processes_admit_exactly_what_there_is(store: str) -> None:
    run("SyncRateLimiter(store=store).available(*KEY, LIMITS)", store)
    script = """
        limiter = RateLimiter(store=store)
        async def ten():
            admitted = 0
            for _ in range(10):
                try:
                    async with limiter.acquire(*KEY, LIMITS, {"rpm": 1}):
                        admitted += 1
                except RateLimitExceeded:
                    pass
            return admitted
        async def main():
            return sum(await asyncio.gather(*(ten() for _ in range(16))))
        print(asyncio.run(main()))
    """
    program = PRELUDE + textwrap.dedent(script)
    processes = [
        subprocess.Popen([sys.executable, "-c", program, store], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    admitted = [int(process.communicate(timeout=120)[0]) for process in processes]
    assert sum(admitted) == 100, admitted


def test_the_interpreter_ends_with_leases_open(store: str) -> None:
    run(
        """
        limiter, sync = RateLimiter(store=store), SyncRateLimiter(store=store)
        kept = [sync.acquire(*KEY, LIMITS, {"rpm": 1}) for _ in range(3)]
        leases = [acquire.__enter__() for acquire in kept]
        async def hold():
            async with limiter.acquire(*KEY, LIMITS, {"rpm": 1}) as lease:
                leases.append(lease)
                asyncio.get_running_loop().stop()
                await asyncio.sleep(60)
        loop = asyncio.new_event_loop()
        task = loop.create_task(hold())
        loop.run_forever()
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        task._log_destroy_pending = False
        """,
        store,
    )


def test_a_lease_that_is_forgotten_is_returned(store: str) -> None:
    assert (
        run(
            """
            import time
            limiter = SyncRateLimiter(store=store)
            limiter.acquire(*KEY, LIMITS, {"rpm": 10}).__enter__()
            gc.collect()
            for _ in range(200):
                if (left := limiter.available(*KEY, LIMITS)["rpm"]) == 100:
                    break
                time.sleep(0.01)
            print(left)
            """,
            store,
        )
        == "100"
    )


def test_other_threads_run_while_one_waits(tmp_path: Path) -> None:
    # Nobody answers at a socket that is not accepted from, so the acquire waits for its timeout.
    out = run(
        """
        import socket, time
        listening = socket.create_server(("127.0.0.1", 0))
        url = f"dynamodb://limits?region=us-east-1&timeout_ms=1000&attempts=1&endpoint_url=http://127.0.0.1:{listening.getsockname()[1]}"
        limiter = SyncRateLimiter(store=url)
        def wait():
            try:
                with limiter.acquire(*KEY, LIMITS, {"rpm": 1}):
                    pass
            except RateLimiterUnavailable:
                print("unavailable")
        thread = threading.Thread(target=wait)
        thread.start()
        turns = 0
        while thread.is_alive():
            turns += 1
            time.sleep(0.001)
        assert turns > 100, turns
        """,
        "memory:",
    )
    assert out == "unavailable"


def test_ctrl_c_ends_a_wait(tmp_path: Path) -> None:
    out = run(
        """
        import signal, socket, time
        listening = socket.create_server(("127.0.0.1", 0))
        url = f"dynamodb://limits?region=us-east-1&timeout_ms=60000&endpoint_url=http://127.0.0.1:{listening.getsockname()[1]}"
        limiter = SyncRateLimiter(store=url)
        # Tests that run in the background of a shell have inherited that it is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        try:
            with limiter.acquire(*KEY, LIMITS, {"rpm": 1}):
                pass
        except KeyboardInterrupt:
            print("interrupted")
        """,
        "memory:",
    )
    assert out == "interrupted"


def test_importing_is_quick_and_needs_no_sdk() -> None:
    out = run(
        """
        print(sorted(name for name in sys.modules if name.split(".")[0] in {"boto3", "botocore", "aiobotocore", "fastapi"}))
        """,
        "memory:",
    )
    assert out == "[]"
