"""Speed and memory of a long sweep: ``python -m tests.benchmarks.bench_sweep [--runs 1000]``.

Runs a sweep of one-year runs of the model on all cores, watches the memory of the parent process,
and says what 10,000 twelve-year runs would take: their time from a sample of such runs, their
memory from the growth seen. With ``--runs 10000 --years 12`` nothing is extrapolated.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time

import numpy as np
import psutil

from rare_market.compare import World
from rare_market.design import Design, factorial
from rare_market.policies import PriceFloor, Undercutting
from rare_market.runner import LocalProcesses
from rare_market.scenario import Scenario
from rare_market.sweep import sweep

WANTED_RUNS, SETTLED_RUNS, LARGEST_GROWTH = 10_000, 500, 0.05


def watched(runs: int, years: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Numbers of finished runs, memory of the parent in MB at each, and seconds in all."""
    worlds = (
        World("no policy", (Undercutting(start_year=2024.0),)),
        World("floor", (Undercutting(start_year=2024.0), PriceFloor(start_year=2024.0))),
    )
    depths = factorial([np.linspace(0.1, 0.6, 5).tolist()])
    design = Design(
        "memory", Scenario(years=years), worlds, ("undercutting.depth_share",), depths, runs // 10
    )
    process, count = psutil.Process(), 0
    seen: list[tuple[int, float]] = []

    def look(finished: int, failed: int) -> None:
        nonlocal count
        if failed:
            sys.exit("a run failed")
        count += finished
        seen.append((count, process.memory_info().rss / 1e6))

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        sweep(design, f"{folder}/s", LocalProcesses(), progress=look)
    seconds = time.perf_counter() - start
    numbers, memory = np.array(seen).T
    return numbers, memory, seconds


def main() -> None:
    """Print what was seen and what follows; exit 1 if the parent grows too much."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--years", type=int, default=1)
    parser.add_argument("--sample", type=int, default=40, help="twelve-year runs that are timed")
    options = parser.parse_args()
    numbers, memory, seconds = watched(options.runs, options.years)
    cores = multiprocessing.cpu_count()
    print(f"{options.runs} runs of {options.years} years on {cores} cores: {seconds:.0f} s")
    settled = numbers >= SETTLED_RUNS
    first, last = memory[settled][0], memory[-1]
    per_run = np.polyfit(numbers[settled], memory[settled], 1)[0]
    growth = max(last, memory[settled].max()) / first - 1.0
    print(
        f"parent: {first:.1f} MB after {SETTLED_RUNS} runs, {last:.1f} MB at the end, {growth:+.2%}"
    )
    full = options.runs >= WANTED_RUNS
    if not full:
        growth = per_run * (WANTED_RUNS - SETTLED_RUNS) / first
        print(
            f"extrapolated to {WANTED_RUNS} runs by the slope after {SETTLED_RUNS}: {growth:+.2%}"
        )
    if options.years < 12:
        each = watched(options.sample, 12)[2] / options.sample
        hours = each * WANTED_RUNS / 3600
        print(
            f"{options.sample} runs of 12 years take {each:.2f} s each, start of workers included:"
        )
        print(f"extrapolated, {WANTED_RUNS} of them take {hours:.1f} hours on {cores} cores")
    if growth > LARGEST_GROWTH:
        sys.exit(f"the parent grows by more than {LARGEST_GROWTH:.0%}")


if __name__ == "__main__":
    main()
