"""Calibration: the few free parameters estimated from the public targets of the past.

Free are the responses of traders and of the quota rule that no source gives: one number each for
all goods, places and dates. Each has a prior range here. The search is a covariance matrix
adaptation evolution strategy (Hansen 2016) on the logarithms of the parameters, with the same luck
for every try, since the score is neither smooth nor convex. A parameter is identified as far as the
loss rises when it alone is moved.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from rare_market.declare import declarations
from rare_market.history import named_scenario
from rare_market.inputs import BASE_YEAR, SHIPPED, table_checksums, vintage_folders
from rare_market.model import simulate
from rare_market.records import software
from rare_market.runner import LocalProcesses, Workers
from rare_market.scenario import Scenario
from rare_market.validation import FLOOR, HISTORY, Scoreboard, Target, fill, jobs, targets

# prior range of each free parameter; the meaning and unit are declared in the scenario
PRIORS: dict[str, tuple[float, float]] = {
    "hoarding_response": (0.2, 3.0),
    "alarm_response": (0.5, 6.0),
    "alarm_months": (3.0, 18.0),
    "reversion_share_per_year": (0.05, 1.5),
    "least_cover_share": (0.3, 0.8),
    "most_cover_share": (2.0, 6.0),
    "speculation_months": (0.2, 6.0),
    "parity_response": (0.1, 2.0),
    "smuggling_half_margin_share": (0.5, 20.0),
    "smuggling_most_share": (0.2, 0.9),
    "trend_months": (2.0, 9.0),
    "extrapolation_mean": (0.05, 0.8),
    "stock_adjust_months": (2.0, 8.0),
    "storage_response": (0.2, 1.5),
    "consumer_step_share": (0.15, 1.0),
    "bid_step_share": (0.1, 1.0),
    "ask_flow_slope": (0.15, 0.8),
    "ask_stock_slope": (0.03, 0.4),
    "elasticity_multiplier": (0.5, 4.0),
    "choke_cost_rise": (0.05, 1.0),
    "grade_premium_share": (0.5, 4.0),
    "thrift_elasticity": (0.3, 1.2),
    "thrift_months": (10.0, 48.0),
    "switch_elasticity": (0.5, 4.0),
    "quota_price_response": (0.05, 0.5),
    "quota_demand_share": (0.3, 1.5),
    "informal_response_per_year": (0.2, 1.5),
    "margin_response": (0.3, 2.0),
    "fixed_cost_share": (0.2, 0.6),
    "expectation_months": (8.0, 36.0),
}
WORST = 3.0  # half widths outside its band at which a target counts no worse
FAIL_WEIGHT = 0.5  # of not passing, beside the distance
FIRST_YEAR_TOLERANCE = 0.2  # of the prices of 2024, in logs
FIRST_YEAR_GOODS = ("la_oxide", "ce_oxide", "ndpr_oxide", "tb_oxide", "dy_oxide")
FIRST_STEP = 0.2  # of the prior range, in logs


@dataclass
class Found:
    """What a search found.

    Attributes
    ----------
    values
        the best parameters.
    loss
        of them.
    tries, seconds
        what it took.
    seed, replications
        of the search, and draws of all chance in each try.
    """

    values: dict[str, float]
    loss: float
    tries: int
    seconds: float
    seed: int
    replications: int


def distance(row: Target, value: float) -> float:
    """Half widths by which a value lies outside its band, in logs where the band is wide."""
    if math.isnan(value):
        return WORST
    if row.low > 0.0 and row.high > 1.5 * row.low:
        middle = math.log(min(max(value, 1e-9), 1e12))
        outside = max(math.log(row.low) - middle, middle - math.log(row.high), 0.0)
        return min(outside / (0.5 * math.log(row.high / row.low)), WORST)
    half = max(0.5 * (row.high - row.low), 1e-9)
    return min(max(row.low - value, value - row.high, 0.0) / half, WORST)


def loss(values: dict[str, Any], replications: int, workers: Workers | None = None) -> float:
    """Distance of the simulated past from the targets, and of the first year of the base run.

    Parameters
    ----------
    values
        scenario fields.
    replications
        draws of all chance, the same for every call.
    """
    board = Scoreboard(targets())
    todo = jobs(replications=replications, variants=(HISTORY, FLOOR), changed=values)
    fill(board, todo, workers or LocalProcesses(1))
    total = 0.0
    for row in board.rows:
        middle = row.middle(board.values(row))
        total += distance(row, middle) / WORST + FAIL_WEIGHT * (not row.passes(middle))
    return total + first_year_distance(values)


def first_year_distance(values: dict[str, Any]) -> float:
    """How far the prices of 2024 leave the record that the base run starts from."""
    records = simulate(Scenario(years=1, **values))
    c, china = records.catalogue, records.catalogue.china
    away = 0.0
    for good in FIRST_YEAR_GOODS:
        path = records.netback_usd_per_kg[:, c.good(good), china]
        first = records.price_usd_per_kg[0, c.good(good), china, 0]
        change = abs(math.log(path.mean() / first)) / FIRST_YEAR_TOLERANCE
        away += max(change - 1.0, 0.0)
    return min(away, WORST)


def search(
    seconds: float,
    replications: int = 3,
    seed: int = 1,
    tick: Callable[[], object] | None = None,
    workers: Workers | None = None,
) -> Found:
    """Look for the parameters with the least loss, from the defaults on.

    Parameters
    ----------
    seconds
        time to search; the generation of tries under way is finished.
    replications
        draws of all chance.
    seed
        of the search.
    tick
        called after each try.
    workers
        run the tries of a generation side by side; the result is the same.
    """
    import cma

    defaults = Scenario()
    start = [_to_unit(name, getattr(defaults, name)) for name in PRIORS]
    strategy = cma.CMAEvolutionStrategy(
        start, FIRST_STEP, {"bounds": [0.0, 1.0], "seed": seed, "verbose": -9}
    )
    began = time.monotonic()
    values = {name: float(getattr(defaults, name)) for name in PRIORS}
    best = Found(values, loss(values, replications), 1, 0.0, seed, replications)
    with (workers or LocalProcesses(1)).open() as executor:
        while time.monotonic() - began < seconds and not strategy.stop():
            points, losses = strategy.ask(), []
            tries = [
                dict(zip(PRIORS, map(_from_unit, PRIORS, point), strict=True)) for point in points
            ]
            for tried, found in zip(
                tries, executor.map(loss, tries, repeat(replications)), strict=True
            ):
                losses.append(found)
                best.tries += 1
                if found < best.loss:
                    best.values, best.loss = tried, found
                if tick:
                    tick()
            strategy.tell(points, losses)
    best.seconds = time.monotonic() - began
    return best


def identification(
    found: Found, replications: int = 3, move: float = 0.15, workers: Workers | None = None
) -> list[dict[str, Any]]:
    """How much the loss rises when each parameter alone is moved within its prior range.

    Parameters
    ----------
    move
        part of the prior range, in logs, to either side.
    workers
        as in :func:`search`.
    """
    known = {field.name: field for field in declarations(Scenario)}
    tries = [
        {**found.values, name: _from_unit(name, _to_unit(name, found.values[name]) + side)}
        for name in PRIORS
        for side in (-move, move)
    ]
    with (workers or LocalProcesses(1)).open() as executor:
        rises = [x - found.loss for x in executor.map(loss, tries, repeat(replications))]
    rows = []
    for (name, (low, high)), moved in zip(
        PRIORS.items(), zip(rises[::2], rises[1::2], strict=True), strict=True
    ):
        rows.append(
            {
                "parameter": name,
                "estimate": found.values[name],
                "default": float(getattr(Scenario(), name)),
                "prior_low": low,
                "prior_high": high,
                "unit": known[name].unit,
                "loss_if_lower": moved[0],
                "loss_if_higher": moved[1],
                "identified": min(moved) > 0.0,
                "meaning": known[name].meaning,
            }
        )
    return rows


def write(found: Found, rows: list[dict[str, Any]], folder: Path) -> None:
    """Write the estimates as a scenario file, the table of parameters, and how they were found."""
    import pandas as pd

    text = "".join(f"{name} = {value:.6g}\n" for name, value in found.values.items())
    tomllib.loads(text)
    (folder / "estimates.toml").write_text(text, encoding="utf-8")
    pd.DataFrame(rows).to_csv(folder / "parameters.csv", index=False, float_format="%.4g")
    years = {int(named_scenario(row.scenario).fields["start_year"]) for row in targets()}
    years.add(BASE_YEAR)
    origin = {
        "loss": found.loss,
        "tries": found.tries,
        "seconds": round(found.seconds, 1),
        "seed": found.seed,
        "replications": found.replications,
        "base_year": BASE_YEAR,
        "cma": version("cma"),
        **software(),
        "data_sha256": {year: table_checksums(vintage_folders(year)) for year in sorted(years)},
        "targets_sha256": hashlib.sha256((SHIPPED / "targets.csv").read_bytes()).hexdigest(),
    }
    (folder / "provenance.json").write_text(json.dumps(origin, indent=1), encoding="utf-8")


def _to_unit(name: str, value: float) -> float:
    low, high = PRIORS[name]
    return float(np.clip(math.log(value / low) / math.log(high / low), 0.0, 1.0))


def _from_unit(name: str, place: float) -> float:
    low, high = PRIORS[name]
    return float(low * (high / low) ** min(max(place, 0.0), 1.0))
