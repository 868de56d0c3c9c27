"""The model against an empty Mesa model, side by side, with its split by phase and its growth.

``python -m tests.benchmarks.bench_model`` prints the tables of docs/performance.md.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections import defaultdict
from collections.abc import Callable

import mesa
import numpy as np

from rare_market.model import RareEarthMarket
from rare_market.policies import INSTRUMENTS, Policy, Undercutting
from rare_market.scenario import Scenario

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


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print("| policies | agents | empty Mesa, s | model, s | building it, s | ratio (range) |")
    print("|---|---|---|---|---|---|")
    for name, policies in (
        ("none", []),
        ("undercutting", [Undercutting()]),
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


if __name__ == "__main__":
    main()
