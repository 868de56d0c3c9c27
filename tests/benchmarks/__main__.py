"""Print the table of docs/performance.md: `python -m tests.benchmarks [--rounds 12]`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from rare_market.clearing import book_layout, clear
from tests.benchmarks import bench_clearing as bench

SIZES = [(places, orders) for places in (2, 6, 12, 24) for orders in (20, 100, 400)]
CHUNK = 8  # periods per contender and round
COMPILE = """
import time; start = time.perf_counter()
from rare_market.clearing import clear_one; loaded = time.perf_counter()
clear_one([0], [1.0], [1.0], [0], [1.0], [2.0], [[0.0]], [[1.0]])
print(loaded - start, time.perf_counter() - loaded)
"""


def measure(places: int, orders: int, rounds: int) -> dict[str, np.ndarray]:
    """Microseconds per clearing, [round] for each contender, all interleaved."""
    series = bench.draw_series(places, orders, CHUNK * (rounds + 1))
    goods = range(2)
    contenders = {
        "series": bench.Kernel(series, warm=True),
        "cold": bench.Kernel(series, warm=False),
        "HiGHS hot": bench.HotHighs(series, goods),
        "HiGHS pass": bench.PassHighs(series, goods),
        "linprog": bench.Linprog(series),
        "merit": bench.MeritOrder(series),
        "sort": bench.Sort(series),
        "read": bench.Read(series),
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        periods = range(turn * CHUNK, (turn + 1) * CHUNK)
        for name, contender in contenders.items():
            start = time.perf_counter()
            cleared = contender.run(periods)
            if turn:  # the first round warms up
                times[name].append((time.perf_counter() - start) / cleared * 1e6)
    return {name: np.array(values) for name, values in times.items()}


def growth(table: dict[tuple[int, int], dict[str, np.ndarray]]) -> list[str]:
    """Fit time ~ places^a and time ~ orders^b between the smallest and largest sizes."""
    lines = []
    for orders in (20, 100, 400):
        few, many = (np.median(table[places, orders]["series"]) for places in (6, 24))
        power = np.log(many / few) / np.log(4)
        lines.append(f"| places 6 to 24, {orders} orders | {power:.2f} |")
    for places in (2, 6, 12, 24):
        few, many = (np.median(table[places, orders]["series"]) for orders in (100, 400))
        power = np.log(many / few) / np.log(4)
        lines.append(f"| orders 100 to 400, {places} places | {power:.2f} |")
    return lines


def month_milliseconds(months: int = 60) -> float:
    """Return the median time of one call of the model's size; half of its orders are empty."""
    rng = np.random.default_rng(0)
    goods, places, classes, orders = 23, 13, 2, 3000
    nodes = places * classes
    good = rng.integers(0, goods, (2, orders))
    layout = book_layout(
        *(good[0], rng.integers(0, places, orders), good[1], rng.integers(0, nodes, orders)),
        *(goods, places, classes),
    )
    cost = np.repeat(rng.uniform(0, 10, (goods, places, places)), classes, axis=2)
    limit = np.full(cost.shape, np.inf)
    level = rng.gamma(2, 20, (2, orders)) * (rng.random((2, orders)) < 0.5)
    limits = rng.uniform(45, 75, (2, orders)) + np.array([[0.0], [10.0]])
    hint, times = None, []
    for _ in range(months):
        level *= np.exp(rng.normal(0, 0.1, level.shape))
        limits *= np.exp(rng.normal(0, 0.01, level.shape))
        start = time.perf_counter()
        result = clear(layout, level[0], limits[0], level[1], limits[1], cost, limit, None, hint)
        times.append(time.perf_counter() - start)
        hint = result.node_price_usd_per_kg
    return float(np.median(times)) * 1e3


def compile_seconds() -> list[tuple[float, float]]:
    """Import and first call, with an empty cache and with a full one."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"NUMBA_CACHE_DIR": cache}
        runs = []
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", COMPILE],
                env=environment, capture_output=True, text=True, check=True,
            )  # fmt: skip
            load, first = map(float, done.stdout.split())
            runs.append((load, first))
    return runs


def main() -> None:
    """Measure everything and print markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    rounds = parser.parse_args().rounds
    names = ["series", "cold", "HiGHS hot", "HiGHS pass", "linprog", "merit", "sort", "read"]
    ratios = ["HiGHS hot", "HiGHS pass", "sort"]
    print("| places | orders | " + " | ".join(names) + " | "
          + " | ".join(f"{name} / series" for name in ratios) + " |")  # fmt: skip
    print("|---" * (2 + len(names) + len(ratios)) + "|")
    table = {}
    for places, orders in SIZES:
        times = table[places, orders] = measure(places, orders, rounds)
        cells = [f"{np.median(times[name]):.3g}" for name in names]
        cells += [f"{np.median(times[name] / times['series']):.3g}" for name in ratios]
        print(f"| {places} | {orders} | " + " | ".join(cells) + " |", flush=True)
    print("\n| growth of the series time | exponent |\n|---|---|")
    print("\n".join(growth(table)))
    print(f"\nA month of the model: {month_milliseconds():.2f} ms.")
    (load, cold), (_, cached) = compile_seconds()
    print(f"\nImport {load:.1f} s; first call {cold:.1f} s compiling, {cached:.2f} s from cache.")


if __name__ == "__main__":
    main()
