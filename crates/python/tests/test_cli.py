"""The command that comes with the package."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import zae_limiter
from zae_limiter import Limit, SyncRateLimiter, cli


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("zae-limiter", path=str(Path(sys.executable).parent))
    assert program is not None
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_it_limits_and_tells_by_its_exit_code(tmp_path: Path) -> None:
    store = f"sqlite://{tmp_path}/limits.db"
    take = ["acquire", "key-1", "gpt-4", "--store", store, "--limit", "rpm=2/day", "--consume", "rpm=1"]
    assert [command(*take).returncode for _ in range(3)] == [0, 0, 75]
    told = command(*take, "--json")
    assert json.loads(told.stdout)["admitted"] is False
    assert "retry after" in told.stderr
    # Command and library share the file.
    assert SyncRateLimiter(store=store).available("key-1", "gpt-4", [Limit.per_day("rpm", 2)]) == {"rpm": 0}


def test_it_passes_exit_codes_on(tmp_path: Path) -> None:
    store = f"sqlite://{tmp_path}/limits.db"
    run = ["run", "job", "db", "--store", store, "--limit", "jobs=9/day", "--", "sh", "-c", "exit 7"]
    assert command(*run).returncode == 7


def test_it_says_its_version_and_what_is_wrong() -> None:
    assert zae_limiter.__version__ in command("--version").stdout
    wrong = command("acquire")
    assert wrong.returncode == 2
    assert "required" in wrong.stderr


def test_it_can_be_called() -> None:
    assert cli.main(["--version"]) == 0
    assert cli.main(["nonsense"]) == 2
    done = subprocess.run([sys.executable, "-m", "zae_limiter.cli", "--version"], check=False)
    assert done.returncode == 0
