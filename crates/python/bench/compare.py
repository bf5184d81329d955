"""The package beside PyPI's ``zae-limiter==0.17.0`` and ``limits``, on one machine and one engine, as a table.

    python compare.py --rivals PYTHON --store PROGRAM [--quick]

Runs in the environment of the package; PYTHON is that of the rivals' environment, PROGRAM the bench of the store in Rust.
Started by ``cargo xtask bench python``.

On the engine they take turns, and a ratio is the median of those within a turn: a machine is not equally fast all the time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]
WORKER = Path(__file__).parent / "worker.py"

Figures = dict[str, float]


class Turn(NamedTuple):
    """What each gave in one turn on the engine."""

    ours: Figures
    theirs: Figures
    store: Figures
    bare: Figures


class Target(NamedTuple):
    """What is measured, and what it should be: at most or at least so much, or so many times what a rival gives.

    Without a bound it is only told.
    """

    key: str
    what: str
    direction: str
    bound: float | None
    rival: str | None = None

    def is_met(self, figure: float) -> bool:
        if self.bound is None:
            return True
        return figure <= self.bound if self.direction == "<=" else figure >= self.bound


ALONE = [
    Target("memory_sync_us", "memory: sync, 1 limit (us)", "<=", 4.0),
    Target("memory_sync_us", "memory: sync, of limits", "<=", 1.0, "limits"),
    Target("memory_async_us", "memory: async, 1 limit (us)", "<=", 6.0),
    Target("import_ms", "import (ms)", "<=", 60.0),
]
ON_A_TABLE = [
    Target("table_cpu_ms", "table: processor per acquire (ms)", "<=", 0.2, "theirs"),
    Target("table_median_ms", "table: sequential median (ms)", "<=", 0.6, "theirs"),
    Target("table_64_entities_per_s", "table: 64 tasks, 64 entities (/s)", ">=", 2.5, "theirs"),
    Target("table_64_entities_per_s", "table: 64 tasks, 64 entities (/s)", ">=", 0.85, "store"),
    # The engine's own limit: the same updates, planned beforehand, by the client of AWS.
    Target("table_64_entities_per_s", "table: 64 tasks, 64 entities (/s)", ">=", None, "bare"),
    Target("table_one_entity_per_s", "table: 64 tasks, one entity (/s)", ">=", 15.0, "theirs"),
]


@contextmanager
def endpoint() -> Iterator[str]:
    given = os.environ.get("ZAE_LIMITER_TEST_ENDPOINT")
    if given:
        yield given
        return
    program = os.environ["ZAE_LIMITER_TEST_DYNOXIDE"]
    pipe = subprocess.PIPE
    with subprocess.Popen([program], stdin=pipe, stdout=pipe, text=True) as engine:
        assert engine.stdin is not None
        assert engine.stdout is not None
        yield engine.stdout.readline().strip()
        engine.stdin.close()


def measured(python: str, *arguments: str) -> Figures:
    figures = subprocess.check_output([python, str(WORKER), *arguments], text=True)
    return dict(json.loads(figures.splitlines()[-1]))


def store_alone(program: str, url: str, *arguments: str) -> Figures:
    """What the store in Rust gives."""
    command = [program, "dynamodb-rate", url, *arguments]
    return dict(json.loads(subprocess.check_output(command, text=True)))


def warm_up(program: str, url: str) -> None:
    """Uses the engine until it gets no faster: one in Java takes most of a minute to compile itself. Makes the table, too."""
    rates: list[float] = []
    while len(rates) < 20 and (len(rates) < 4 or max(rates[-3:]) > 1.02 * max(rates[:-3])):
        rates.append(store_alone(program, url)["table_64_entities_per_s"])


def on_a_table(rivals: str, program: str, quick: list[str]) -> list[Turn]:
    with endpoint() as url:
        warm_up(program, url)
        turns = []
        for _ in range(1 if quick else 5):
            theirs = measured(rivals, "zae-limiter", url, *quick)
            ours = measured(sys.executable, "zae-limiter", url, *quick)
            store = store_alone(program, url, "--beside-bare")
            bare = {"table_64_entities_per_s": store["bare_updates_per_s"]}
            turns.append(Turn(ours, theirs, store, bare))
            print(".", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
    return turns


def show(target: Target, ours: float, other: float | None, figure: float) -> None:
    beside = f"{other:.2f}" if other is not None else ""
    ratio = f"{figure:.2f}" if other is not None else ""
    wanted = f"{target.direction} {target.bound:g}" if target.bound is not None else ""
    rival = target.rival or ""
    missed = "" if target.is_met(figure) else "  MISSED"
    print(f"{target.what:36}{ours:>10.2f}{rival:>8}{beside:>10}{ratio:>8}  {wanted:8}{missed}".rstrip())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rivals", required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    quick = ["--quick"] if given.quick else []
    ours = measured(sys.executable, "zae-limiter", *quick)
    limits = measured(given.rivals, "limits", *quick)
    turns = on_a_table(given.rivals, given.store, quick)
    print(f"{'':36}{'ours':>10}{'beside':>8}{'':10}{'ratio':>8}  wanted")
    for target in ALONE:
        own, other = ours[target.key], limits[target.key] if target.rival else None
        show(target, own, other, own / other if other else own)
    for target in ON_A_TABLE:
        pairs = [(turn.ours[target.key], getattr(turn, target.rival or "")[target.key]) for turn in turns]
        own, other = (statistics.median(side) for side in zip(*pairs, strict=True))
        show(target, own, other, statistics.median(own / other for own, other in pairs))
    place = ROOT / "target" / "bench" / "python.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    figures = {"ours": ours, "limits": limits, "turns": [turn._asdict() for turn in turns]}
    place.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
