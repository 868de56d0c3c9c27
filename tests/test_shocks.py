"""Chance: one stream per source, drawn before the run, by name."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from rare_market.scenario import Scenario
from rare_market.shocks import STREAMS, Shocks, draw_shocks

SECTORS = np.array(["drives", "wind", "phones"])
FACILITIES = np.array(["delta", "alpha", "charlie", "bravo"])
BUYERS = np.array(["b_usa", "a_usa", "c_chn"])

# the field of Shocks that each spread moves; all others must stay
MOVED_BY: dict[str, tuple[dict[str, Any], str]] = {
    "demand": ({"demand_shock_sd_share": 0.2}, "demand"),
    "persistence": ({"demand_shock_persistence": 0.1}, "demand"),
    "outage": ({"outage_per_year": 4.0}, "outage"),
    "outage_size": ({"outage_share": 0.9}, "outage"),
    "overrun": ({"capex_overrun_sd_share": 1.0}, "overrun_share"),
    "overrun_mean": ({"capex_overrun_mean_share": 1.0}, "overrun_share"),
    "delay": ({"delay_mean_months": 40.0}, "delay_months"),
    "cost": ({"cost_spread_share": 0.4}, "cost_factor"),
}


def draw(scenario: Scenario | None = None, **names: np.ndarray) -> Shocks:
    named = {"sectors": SECTORS, "facilities": FACILITIES, "buyers": BUYERS, **names}
    return draw_shocks(scenario or Scenario(years=5), **named)


def differing(one: Shocks, other: Shocks) -> list[str]:
    return [n for n in Shocks._fields if not np.array_equal(getattr(one, n), getattr(other, n))]


def test_the_same_scenario_draws_the_same_luck():
    """Whatever was drawn before."""
    assert differing(draw(), draw()) == []


def test_every_stream_differs_between_replications_and_between_seeds():
    """No source of chance is left out."""
    for other in (Scenario(years=5, replication=1), Scenario(years=5, seed=2)):
        assert differing(draw(), draw(other)) == list(Shocks._fields)


@pytest.mark.parametrize("case", list(MOVED_BY))
def test_a_spread_moves_its_own_stream_only(case):
    """Every other number is the same to the bit."""
    changed, field = MOVED_BY[case]
    assert differing(draw(), draw(Scenario(years=5, **changed))) == [field]


def test_the_spread_of_beliefs_moves_facilities_and_buyers_and_nothing_else():
    """The only number two streams share."""
    moved = differing(draw(), draw(Scenario(years=5, extrapolation_sd=0.9)))
    assert moved == ["extrapolation_share", "buyer_extrapolation_share"]


def test_a_draw_belongs_to_a_name_and_not_to_a_row():
    """Names in another order carry their luck along."""
    chance = np.random.default_rng(0)
    sectors, facilities, buyers = (chance.permutation(x) for x in (SECTORS, FACILITIES, BUYERS))
    one, other = draw(), draw(sectors=sectors, facilities=facilities, buyers=buyers)
    for field in Shocks._fields:
        names, moved = {
            "demand": (SECTORS, sectors),
            "buyer_extrapolation_share": (BUYERS, buyers),
        }.get(field, (FACILITIES, facilities))
        np.testing.assert_array_equal(
            getattr(one, field)[..., np.argsort(names)],
            getattr(other, field)[..., np.argsort(moved)],
        )


def test_a_further_buyer_leaves_the_luck_of_sectors_and_facilities():
    """Streams do not run into each other."""
    more = draw(buyers=np.append(BUYERS, "d_usa"))
    assert (
        differing(
            draw()._replace(buyer_extrapolation_share=0), more._replace(buyer_extrapolation_share=0)
        )
        == []
    )


def test_a_longer_run_begins_with_the_luck_of_a_shorter_one():
    """Months ahead do not change months past."""
    short, long = draw(Scenario(years=2)), draw(Scenario(years=5))
    np.testing.assert_array_equal(short.demand, long.demand[:24])
    np.testing.assert_array_equal(short.outage, long.outage[:24])
    np.testing.assert_array_equal(short.delay_months, long.delay_months)


def test_without_spread_there_is_no_chance():
    """Every draw is its mean."""
    certain = dataclasses.replace(
        Scenario(years=5),
        demand_shock_sd_share=0.0,
        outage_per_year=0.0,
        capex_overrun_sd_share=0.0,
        delay_mean_months=0.0,
        cost_spread_share=0.0,
        extrapolation_sd=0.0,
    )
    drawn = draw(certain)
    assert (drawn.demand == 1.0).all()
    assert (drawn.outage == 0.0).all()
    assert (drawn.overrun_share == certain.capex_overrun_mean_share).all()
    assert (drawn.delay_months == 0.0).all()
    assert (drawn.cost_factor == 1.0).all()
    assert (drawn.extrapolation_share == certain.extrapolation_mean).all()
    assert (drawn.buyer_extrapolation_share == certain.extrapolation_mean).all()


def test_draws_have_the_moments_they_are_declared_with():
    """Over many months and facilities."""
    names = np.array([f"f{i:05d}" for i in range(20_000)])
    scenario = Scenario(years=30)
    many = draw(dataclasses.replace(scenario, years=1), facilities=names)
    assert many.delay_months.mean() == pytest.approx(scenario.delay_mean_months, rel=0.05)
    assert np.log(many.cost_factor).std() == pytest.approx(scenario.cost_spread_share, rel=0.05)
    assert (many.outage > 0).mean() == pytest.approx(scenario.outage_per_year / 12, rel=0.05)
    sectors = np.array([f"s{i:03d}" for i in range(500)])
    log_demand = np.log(draw(scenario, sectors=sectors).demand)
    assert log_demand.std() == pytest.approx(scenario.demand_shock_sd_share, rel=0.05)
    lagged = (log_demand[1:] * log_demand[:-1]).mean() / (log_demand**2).mean()
    assert lagged == pytest.approx(scenario.demand_shock_persistence, abs=0.02)


def test_every_stream_has_a_name_of_its_own():
    """A stream is found by its position in this list, so names are unique."""
    assert len(set(STREAMS)) == len(STREAMS) == len(Shocks._fields)
