"""The package beside PyPI's ``zae-limiter==0.17.0`` and ``limits``, on one machine and one engine, as a table.

    python compare.py --rivals PYTHON --store PROGRAM [--quick]

Runs in the environment of the package; PYTHON is that of the rivals' environment, PROGRAM the bench of the store in Rust.
Started by ``cargo xtask bench python``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
WORKER = Path(__file__).parent / "worker.py"

Figures = dict[str, float]

# What is measured, in which direction it is better, and what it should be: at most or at least so much, or times the rival's.
LIMITS = [
    ("memory_sync_us", "memory: sync, 1 limit (us)", "<=", 4.0, None),
    ("memory_async_us", "memory: async, 1 limit (us)", "<=", 6.0, None),
    ("import_ms", "import (ms)", "<=", 60.0, None),
    ("table_cpu_ms", "table: processor per acquire (ms)", "<=", None, 0.2),
    ("table_median_ms", "table: sequential median (ms)", "<=", None, 0.6),
    ("table_64_entities_per_s", "table: 64 tasks, 64 entities (/s)", ">=", None, 2.5),
    ("table_one_entity_per_s", "table: 64 tasks, one entity (/s)", ">=", None, 15.0),
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


def store_alone(program: str, url: str) -> float:
    """Acquires a second of 64 tasks on 64 entities."""
    rate = subprocess.check_output([program, "dynamodb-rate", url], text=True)
    return float(json.loads(rate)["table_64_entities_per_s"])


def warmed_up(program: str, url: str) -> list[float]:
    """The rates of the store alone until it gets no faster: an engine in Java takes most of a minute to compile itself."""
    rates: list[float] = []
    while len(rates) < 20 and (len(rates) < 4 or max(rates[-3:]) > 1.02 * max(rates[:-3])):
        rates.append(store_alone(program, url))
    return rates


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rivals", required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    quick = ["--quick"] if given.quick else []
    ours = measured(sys.executable, "zae-limiter", *quick)
    limits = measured(given.rivals, "limits", *quick)
    with endpoint() as url:
        # Makes the table, too.
        rates = warmed_up(given.store, url)
        theirs = measured(given.rivals, "zae-limiter", url, *quick)
        ours |= measured(sys.executable, "zae-limiter", url, *quick)
        rates.append(store_alone(given.store, url))
    print(f"{'':36}{'ours':>10}{'0.17.0':>10}{'limits':>10}{'ratio':>8}  wanted")
    for key, what, direction, bound, times in LIMITS:
        own, other = ours[key], theirs.get(key)
        ratio = f"{own / other:.2f}" if other else ""
        wanted = f"{direction} {bound:g}" if bound is not None else f"{direction} {times:g} x theirs"
        reached = own if bound is not None else own / (other or own)
        target = bound if bound is not None else times or 1.0
        met = reached <= target if direction == "<=" else reached >= target
        columns = [f"{own:.2f}", f"{other:.2f}" if other else "", f"{limits[key]:.2f}" if key in limits else ""]
        cells = "".join(f"{column:>10}" for column in columns)
        print(f"{what:36}{cells}{ratio:>8}  {wanted}{'' if met else '  MISSED'}")
    key = "table_64_entities_per_s"
    # The best that it reached, before and after.
    store = max(rates)
    ratio = ours[key] / store
    missed = "" if ratio >= 0.85 else "  MISSED"
    what = "table: the same, of the store in Rust"
    print(f"{what:36}{ours[key]:>10.2f}{store:>20.2f}{ratio:>8.2f}  >= 0.85 x its own{missed}")
    place = ROOT / "target" / "bench" / "python.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"ours": ours, "theirs": theirs, "limits": limits, "store": store}, indent=2))


if __name__ == "__main__":
    main()
