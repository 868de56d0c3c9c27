"""Print the tables of docs/performance.md: `python -m tests.benchmarks [--write]`.

With `--write` they also replace those in the page. `--books FILE.npz ...` replays order books saved
by `rare-market book` instead of those of a run of the default scenario.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from rare_market.book import load_posted
from rare_market.policies import ExportQuota
from tests.benchmarks import bench_clearing as bench

SIZES = [(places, orders) for places in (2, 6, 12, 24) for orders in (20, 100, 400)]
CHUNK = 30  # months a turn: after another's turn the first few find caches cold
RATIOS = ("HiGHS hot", "HiGHS pass", "sort")
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
COMPILE = """
import time; start = time.process_time()
from rare_market.clearing import clear_one; loaded = time.process_time()
clear_one([0], [1.0], [1.0], [0], [1.0], [2.0], [[0.0]], [[1.0]])
print(loaded - start, time.process_time() - loaded)
"""


def measure(places: int, orders: int, rounds: int) -> dict[str, np.ndarray]:
    """Microseconds per clearing, [round] for each contender, all interleaved."""
    series = bench.draw_series(places, orders, CHUNK * (rounds + 1))
    contenders = {name: make(series) for name, make in bench.CONTENDERS.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        periods = range(turn * CHUNK, (turn + 1) * CHUNK)
        for name, contender in contenders.items():
            start = time.process_time()
            cleared = contender.run(periods)
            if turn:  # the first round warms up
                times[name].append((time.process_time() - start) / cleared * 1e6)
    return {name: np.array(values) for name, values in times.items()}


def clearing_table(rounds: int) -> tuple[list[str], dict[tuple[int, int], dict[str, np.ndarray]]]:
    """Medians by size, and medians of the ratios within a round."""
    names = list(bench.CONTENDERS)
    heads = ["places", "orders", *names, *(f"{name} / series" for name in RATIOS)]
    lines, table = [_row(heads), _row(["---"] * len(heads))], {}
    for places, orders in SIZES:
        times = table[places, orders] = measure(places, orders, rounds)
        cells = [f"{np.median(times[name]):.3g}" for name in names]
        cells += [f"{np.median(times[name] / times['series']):.3g}" for name in RATIOS]
        lines.append(_row([str(places), str(orders), *cells]))
        print(lines[-1], file=sys.stderr, flush=True)
    return lines, table


def growth(table: dict[tuple[int, int], dict[str, np.ndarray]]) -> list[str]:
    """Fit time ~ places^a and time ~ orders^b between the smallest and largest sizes."""
    lines = [_row(["growth of the time", "series", "cold"]), _row(["---"] * 3)]
    pairs = [(f"places 6 to 24, {n} orders", (6, n), (24, n)) for n in (20, 100, 400)]
    pairs += [(f"orders 100 to 400, {p} places", (p, 100), (p, 400)) for p in (2, 6, 12, 24)]
    for title, small, large in pairs:
        powers = [
            np.log(np.median(table[large][name]) / np.median(table[small][name])) / np.log(4)
            for name in ("series", "cold")
        ]
        lines.append(_row([title, *(f"{power:.2f}" for power in powers)]))
    return lines


def moves_table(months: int = 12) -> list[str]:
    """Moves of the search a clearing, and the orders and lanes that newly come into use."""
    heads = ["moves a clearing, 100 orders", "in series", "orders and lanes to be found"]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for places in (2, 6, 12, 24):
        series, counts = bench.draw_series(places, 100, months), []
        for good in range(bench.GOODS):
            before = series.market(0, good).clear()
            for period in range(1, months):
                market, hint = series.market(period, good), before.node_price_usd_per_kg
                found = market.clear(hint)
                new_lanes = np.count_nonzero((found.flow_t > 0) & (before.flow_t == 0))
                counts.append((bench.moves(market, hint), bench.price_setters(found) + new_lanes))
                before = found
        mean = np.mean(counts, axis=0)
        lines.append(_row([f"{places} places", *(f"{count:.2f}" for count in mean)]))
    return lines


def replay(files: list[Path], rounds: int) -> list[str]:
    """Replay saved order books, our kernel and HiGHS taking turns by month."""
    cases = (
        {"saved books": [load_posted(file) for file in files]}
        if files
        else {
            "default run, 24 months": bench.draw_books(24),
            "with an export quota, 24 months": bench.draw_books(24, [ExportQuota(start_year=2024)]),
        }
    )
    heads = ["order books", "orders", "kernel, ms a month", "HiGHS pass, ms a month", "ratio"]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for title, posted in cases.items():
        books, times = bench.Books(posted), []
        books.kernel(0)
        for _ in range(rounds):
            for month in range(len(posted)):
                start = time.process_time()
                books.kernel(month)
                middle = time.process_time()
                books.highs(month)
                times.append((middle - start, time.process_time() - middle))
        ours, theirs = np.array(times).T * 1e3
        orders = np.mean([len(month.asks.good) + len(month.bids.good) for month in posted])
        cells = [f"{orders:.0f}", f"{np.median(ours):.3g}", f"{np.median(theirs):.3g}"]
        lines.append(_row([title, *cells, f"{np.median(theirs / ours):.3g}"]))
    return lines


def compile_seconds() -> str:
    """Import and first call, with an empty cache and with a full one."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"NUMBA_CACHE_DIR": cache}
        runs = []
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", COMPILE],
                env=environment, capture_output=True, text=True, check=True,
            )  # fmt: skip
            runs.append(tuple(map(float, done.stdout.split())))
    (load, cold), (_, cached) = runs
    return f"Import {load:.1f} s; first call {cold:.1f} s compiling, {cached:.2f} s from cache."


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure everything and print markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--write", action="store_true", help="replace the tables of the page")
    parser.add_argument("--books", type=Path, nargs="*", default=[], metavar="FILE.npz")
    options = parser.parse_args()
    command = " ".join(["python -m tests.benchmarks", *sys.argv[1:]])
    table, times = clearing_table(options.rounds)
    parts = [table, growth(times), moves_table(), replay(options.books, 3), [compile_seconds()]]
    load = f"Made by `{command}`; {os.cpu_count()} cores, load {os.getloadavg()[1]:.1f}."
    text = "\n\n".join("\n".join(part) for part in [*parts, [load]])
    print(text)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        head, tail = page.split(BEGIN)[0], page.split(END)[1]
        PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
