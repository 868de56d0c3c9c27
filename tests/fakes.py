"""Stand-ins for the model in tests of sweeps: quick, and with the faults that are to be survived.

Functions of the top level, because workers import them.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from rare_market.compare import World
from rare_market.design import Design, Run, factorial
from rare_market.policies import Undercutting
from rare_market.scenario import Scenario
from rare_market.store import Result

ATTACK = (Undercutting(),)


def design(replications: int = 5, depths: int = 4, **changed) -> Design:
    """Return a null without factors and an attack at several depths."""
    levels = [np.linspace(0.1, 0.7, depths).tolist()]
    return Design(
        title="test",
        scenario=Scenario(years=1),
        worlds=(World("null", ()), World("attack", ATTACK)),
        factors=("undercutting.depth_share",),
        points=factorial(levels),
        replications=replications,
        **changed,
    )


def quick(run: Run) -> Result:
    """Numbers that depend on everything that names a run, and need no model."""
    depth = run.policies[0].depth_share if run.policies else 0.0
    noise = np.sin(1.0 + run.replication * 12.9898)
    row = {"price": 50.0 - 20.0 * depth + noise, "cost": depth**2 / 3.0 + 0.1 * noise}
    months = np.arange(12.0) * (1.0 + depth)
    return Result(row, dict.fromkeys(run.series, months + run.replication))


def slow(run: Run) -> Result:
    """Take twenty milliseconds of work."""
    stop = time.perf_counter() + 0.02
    while time.perf_counter() < stop:
        pass
    return quick(run)


def failing(run: Run) -> Result:
    """Raise in the third draw of every cell."""
    if run.replication == 2:
        raise ZeroDivisionError(f"no price in {run.name}")
    return quick(run)


def healing(run: Run) -> Result:
    """Raise in the third draw until a file named by the environment exists."""
    return quick(run) if Path(os.environ["HEALED"]).exists() else failing(run)


def murderous(run: Run) -> Result:
    """Kill the worker in one run, always."""
    if run.number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return quick(run)


class MurderedOnce:
    """Kills the worker in one run, the first time."""

    def __init__(self, marker: Path) -> None:
        self.marker, self.__qualname__ = marker, "MurderedOnce"

    def __call__(self, run: Run) -> Result:
        """Kill unless the marker is there."""
        if run.number == 7 and not self.marker.exists():
            self.marker.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        return quick(run)


def large(run: Run) -> Result:
    """Return many numbers, to fill a disk."""
    return Result({f"measure_{i}": float(i * run.number) for i in range(500)}, {})


def unknown(run: Run) -> Result:
    """Return NaN in one run."""
    result = quick(run)
    return Result(result.row | {"price": np.nan}, {}) if run.number == 3 else result


def duel(run: Run) -> Result:
    """Series of the textbook duel of an incumbent and an entrant, year by year.

    Undercutting costs the incumbent 100 a year times its depth while it lasts. An entrant is driven
    out by a depth of 0.4 or more for at least 4 years, which brings the incumbent 30 a year from
    then on; against a floor it is never driven out. Luck adds the same to every world.
    """
    months = np.arange(12 * run.scenario.years)
    year = run.scenario.start_year + months // 12
    attack = [p for p in run.policies if p.name == "undercutting"]
    depth = attack[0].depth_share if attack else 0.0
    ends = 2026 + (attack[0].duration_years if attack else 0.0)
    on = (year >= 2026) & (year < ends)
    floored = any(p.name == "price_floor" for p in run.policies)
    out = depth >= 0.4 and ends >= 2030 and not floored
    luck = np.sin(months + run.replication)
    flat = np.full(len(months), 1.0)
    series = dict.fromkeys(run.series, flat)
    series["china_upstream_musd"] = luck - on * 100 * depth / 12 + out * (year >= ends) * 30 / 12
    series["separation_outside_t_per_year"] = 50_000.0 * flat - 20_000.0 * out * (year >= ends - 1)
    series["allied_treasury_musd"] = -floored * flat
    series["ndpr_oxide_outside_t"] = 1000.0 * flat - 400.0 * out * (year >= ends)
    return Result({"nothing": 0.0}, series)


def duel_with_free_entry(run: Run) -> Result:
    """Let the entrant come back, at no cost, in the month the undercutting ends."""
    result = duel(run)
    forced = duel(run._replace(policies=()))
    name = "china_upstream_musd"
    gain = result.series[name] - forced.series[name]
    return Result(result.row, result.series | {name: forced.series[name] + np.minimum(gain, 0.0)})


def duel_with_poorer_users(run: Run) -> Result:
    """Let Chinese users save 10 a month under undercutting by going without what is worth 12."""
    result = duel(run)
    attacked = any(p.name == "undercutting" for p in run.policies)
    less = {"china_users_spend_musd": 10.0, "china_users_value_musd": 12.0}
    changed = {name: result.series[name] - usd * attacked for name, usd in less.items()}
    return Result(result.row, result.series | changed)
