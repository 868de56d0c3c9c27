"""All chance of a run, drawn before its first month.

Each source of chance has its own stream, named by (seed, replication, source), and every stream is
drawn in full whatever the policies. Two policies therefore meet the same luck, and a further source
leaves the others as they were. Draws follow the order of names, not of rows, so the order of the
data rows does not matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rare_market.compiled import compiled
from rare_market.goods import MONTHS_PER_YEAR
from rare_market.scenario import Scenario

STREAMS = (
    "demand",
    "outage",
    "overrun",
    "delay",
    "cost",
    "extrapolation",
    "buyer_extrapolation",
    "permit",
)


class Shocks(NamedTuple):
    """Draws of a run.

    Attributes
    ----------
    demand
        ``[period, sector]`` factor on a sector's demand, mean about 1.
    outage
        ``[period, facility]`` share of output lost.
    overrun_share, delay_months, cost_factor, extrapolation_share
        ``[facility]``.
    buyer_extrapolation_share
        ``[buyer]``.
    permit
        ``[facility]`` uniform on 0 to 1: whether a project's permits come early.
    """

    demand: np.ndarray
    outage: np.ndarray
    overrun_share: np.ndarray
    delay_months: np.ndarray
    cost_factor: np.ndarray
    extrapolation_share: np.ndarray
    buyer_extrapolation_share: np.ndarray
    permit: np.ndarray


@compiled
def _persistent(innovation: np.ndarray, persistence: float) -> np.ndarray:
    """Autoregression of the first order, ``[period, column]``, with the innovations' variance."""
    values, weight = innovation.copy(), np.sqrt(1.0 - persistence**2)
    for period in range(1, len(values)):
        for k in range(values.shape[1]):
            new = weight * innovation[period, k]
            values[period, k] = persistence * values[period - 1, k] + new
    return values


def draw_shocks(
    scenario: Scenario, sectors: np.ndarray, facilities: np.ndarray, buyers: np.ndarray
) -> Shocks:
    """Draw everything that chance decides in a run.

    Parameters
    ----------
    scenario
        seed, replication, length and the spreads.
    sectors, facilities, buyers
        unique names.
    """
    s, periods = scenario, scenario.periods

    def stream(name: str) -> np.random.Generator:
        key = (s.replication, STREAMS.index(name))
        return np.random.default_rng(np.random.SeedSequence(s.seed, spawn_key=key))

    def by_name(draws: np.ndarray, names: np.ndarray) -> np.ndarray:
        placed = np.empty_like(draws)
        placed[..., np.argsort(names, kind="stable")] = draws
        return placed

    n, m, b = len(facilities), len(sectors), len(buyers)
    innovation = stream("demand").standard_normal((periods, m)) * s.demand_shock_sd_share
    log_demand = _persistent(innovation, s.demand_shock_persistence)
    failed = stream("outage").random((periods, n)) < s.outage_per_year / MONTHS_PER_YEAR
    overrun = stream("overrun").standard_normal(n) * s.capex_overrun_sd_share
    delay = stream("delay").exponential(1.0, n) * s.delay_mean_months
    cost = stream("cost").standard_normal(n) * s.cost_spread_share
    belief = stream("extrapolation").standard_normal(n) * s.extrapolation_sd
    buyer_belief = stream("buyer_extrapolation").standard_normal(b) * s.extrapolation_sd
    permit = stream("permit").random(n)
    return Shocks(
        demand=np.exp(by_name(log_demand, sectors)),
        outage=s.outage_share * by_name(failed.astype(float), facilities),
        overrun_share=np.maximum(s.capex_overrun_mean_share + by_name(overrun, facilities), -0.2),
        delay_months=np.round(by_name(delay, facilities)),
        cost_factor=np.exp(by_name(cost, facilities)),
        extrapolation_share=s.extrapolation_mean + by_name(belief, facilities),
        buyer_extrapolation_share=s.extrapolation_mean + by_name(buyer_belief, buyers),
        permit=by_name(permit, facilities),
    )
