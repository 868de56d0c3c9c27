"""The model against an empty Mesa model, side by side, with its split by phase and its growth.

``python -m tests.benchmarks.bench_model`` prints the tables of docs/performance.md.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import mesa
import numpy as np
import pandas as pd

from rare_market.model import RareEarthMarket
from rare_market.policies import (
    INSTRUMENTS,
    OfftakeGuarantee,
    Policy,
    PriceFloor,
    Undercutting,
)
from rare_market.scenario import Scenario

DATA = Path(__file__).parents[2] / "rare_market" / "data"
# columns that name goods and processes, by table
NAMES = {
    "goods": ["good"],
    "baskets": ["good"],
    "composition": ["good"],
    "recipes": ["process", "good"],
    "facilities": ["facility", "process_or_good", "feeds"],
    "demand": ["good"],
    "origin_bound": ["good"],
    "scrap_collection": ["good"],
    "prices": ["good"],
    "stocks": ["item"],
    "taxes": ["scope"],
}
SIZES = (1, 2, 5, 10)
PHASES = ("publish", "amend", "deliver", "post", "clear", "settle", "plan", "record")


class Idle(mesa.Agent):
    """An agent that does nothing."""

    def step(self) -> None:
        """Do nothing."""


class Empty(mesa.Model):
    """A model of idle agents stepped in random order."""

    def __init__(self, agents: int, seed: int = 1) -> None:
        super().__init__(rng=seed)
        for _ in range(agents):
            Idle(self)

    def step(self) -> None:
        """Step every agent."""
        self.agents.shuffle_do("step")


def every_instrument() -> list[Policy]:
    """Return one of each instrument with its defaults."""
    return [instrument() for instrument in INSTRUMENTS.values()]


def seconds(make: Callable[[], mesa.Model], months: int) -> tuple[float, float]:
    """CPU seconds to build a model and to step it."""
    gc.collect()
    start = time.process_time()
    model = make()
    built = time.process_time()
    for _ in range(months):
        model.step()
    return built - start, time.process_time() - built


def side_by_side(rounds: int, policies: list[Policy], years: int = 12) -> dict[str, np.ndarray]:
    """CPU seconds of both models by round, interleaved; build and steps of each."""
    scenario = Scenario(years=years)
    agents = len(RareEarthMarket(scenario, policies).agents)
    times: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for turn in range(rounds + 1):
        for name, make in (
            ("empty", lambda: Empty(agents)),
            ("model", lambda: RareEarthMarket(scenario, policies)),
        ):
            spent = seconds(make, 12 * years)
            if turn:  # the first round warms up
                times[name].append(spent)
    return {name: np.array(values) for name, values in times.items()} | {
        "agents": np.array([agents])
    }


def by_phase(policies: list[Policy], years: int = 12) -> dict[str, float]:
    """CPU milliseconds a month in each phase of the step."""
    market = RareEarthMarket(Scenario(years=years), policies)
    spent = dict.fromkeys(PHASES, 0.0)
    for _ in range(12 * years):
        for phase in PHASES:
            start = time.process_time()
            getattr(market, phase)()
            spent[phase] += time.process_time() - start
    return {name: 1e3 * value / (12 * years) for name, value in spent.items()}


def more_agents(folder: Path, times: int) -> None:
    """Write tables in which every facility and sector is that many, each as much smaller."""

    def split(rows: pd.DataFrame, keys: list[str], sizes: list[str]) -> pd.DataFrame:
        parts = []
        for copy in range(times):
            part = rows.copy()
            for size in sizes:
                part[size] = (pd.to_numeric(rows[size]) / times).map(repr)
            if copy:
                for key in keys:
                    part[key] = rows[key].where(rows[key] == "", rows[key] + f"_{copy}")
            parts.append(part)
        return pd.concat(parts)

    for table, keys, sizes in (
        ("facilities", ["facility", "feeds"], ["capacity_t_per_year", "output_t_per_year"]),
        ("sectors", ["sector"], []),
        ("activity", ["sector"], []),
        ("demand", ["sector"], ["demand_t_per_year"]),
    ):
        split(_read(table), keys, sizes).to_csv(folder / f"{table}.csv", index=False)


def more_goods(folder: Path, times: int) -> None:
    """Write tables of that many economies side by side, each with goods and traders of its own."""
    goods = set(_read("goods")["good"])
    known = goods | set(_read("recipes")["process"]) | set(_read("facilities")["facility"])
    for table, columns in NAMES.items():
        rows = _read(table)
        parts = [rows]
        for copy in range(1, times):
            part = rows.copy()
            for column in columns:
                own = rows[column].isin(known)
                part[column] = rows[column].where(~own, rows[column] + f"_{copy}")
            changed = (part[columns] != rows[columns]).any(axis=1)
            parts.append(part[changed])
        pd.concat(parts).to_csv(folder / f"{table}.csv", index=False)


def _read(table: str) -> pd.DataFrame:
    return pd.read_csv(DATA / f"{table}.csv", dtype=str, keep_default_na=False)


def growth(enlarge: Callable[[Path, int], None]) -> list[str]:
    """Rows of a table: size, agents, goods, CPU milliseconds a month, and their ratios."""
    rows, first = [], 0.0
    for times in SIZES:
        with tempfile.TemporaryDirectory() as name:
            for path in DATA.glob("*.csv"):
                (Path(name) / path.name).write_bytes(path.read_bytes())
            enlarge(Path(name), times)
            scenario = Scenario(years=1, data_folder=name)

            def make(scenario: Scenario = scenario) -> RareEarthMarket:
                return RareEarthMarket(scenario, [Undercutting(start_year=2024.0)])

            market = make()
            month = 1e3 * np.median([seconds(make, 12)[1] for _ in range(3)]) / 12
        agents = len(market.agents)
        idle = 1e3 * np.median([seconds(partial(Empty, agents), 36)[1] for _ in range(3)]) / 36
        first = first or month
        counts = f"{agents} | {len(market.catalogue.goods)}"
        rows.append(
            f"| {times} | {counts} | {month:.1f} | {month / first:.1f} | {month / idle:.1f} |"
        )
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print("| policies | agents | empty Mesa, s | model, s | building it, s | ratio (range) |")
    print("|---|---|---|---|---|---|")
    for name, policies in (
        ("none", []),
        ("undercutting, floor, offtake", [Undercutting(), PriceFloor(), OfftakeGuarantee()]),
        ("every instrument", every_instrument()),
    ):
        times = side_by_side(rounds, policies)
        empty, model = times["empty"][:, 1], times["model"].sum(axis=1)
        ratio = model / empty
        print(
            f"| {name} | {times['agents'][0]} | {np.median(empty):.3f} | {np.median(model):.3f} | "
            f"{np.median(times['model'][:, 0]):.3f} | {np.median(ratio):.2f} "
            f"({ratio.min():.2f}-{ratio.max():.2f}) |"
        )
    print("\n| phase | ms a month, no policy | ms a month, every instrument |\n|---|---|---|")
    bare, full = by_phase([]), by_phase(every_instrument())
    for phase in PHASES:
        print(f"| {phase} | {bare[phase]:.2f} | {full[phase]:.2f} |")
    print(f"| all | {sum(bare.values()):.2f} | {sum(full.values()):.2f} |")

    for title, enlarge in (("agents", more_agents), ("goods, each with its agents", more_goods)):
        print(
            f"\n| times the {title} | agents | goods | ms a month | to one | to empty Mesa |\n"
            + "|---" * 6
            + "|"
        )
        print("\n".join(growth(enlarge)))
    print("\n| months | ms a month |\n|---|---|")
    for times in SIZES:
        spent = seconds(lambda times=times: RareEarthMarket(Scenario(years=3 * times)), 36 * times)
        print(f"| {36 * times} | {1e3 * spent[1] / (36 * times):.2f} |")


if __name__ == "__main__":
    main()
