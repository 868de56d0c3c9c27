"""External cost borne at the mine."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.model import RareEarthMarket
from rare_market.policies import EnvironmentalStandard
from rare_market.scenario import Scenario


def test_mines_at_the_place_bear_the_cost_by_content_and_others_do_not():
    """5 USD per kg of oxide; it ends with the standard."""
    policy = EnvironmentalStandard(start_year=2024.0, duration_years=0.5, cost_usd_per_kg=5.0)
    market = RareEarthMarket(Scenario(years=1), [policy])
    p, c = market.producers, market.catalogue
    own = p.cost_usd_per_kg.copy()
    market.step()
    ore = c.of_stage("concentrate")[p.good] & (p.place == c.china)
    content = c.composition_reo_t_per_t.sum(axis=1)[p.good]
    np.testing.assert_allclose(p.cost_usd_per_kg - own, np.where(ore, 5.0 * content, 0.0))
    for _ in range(11):
        market.step()
    np.testing.assert_allclose(p.cost_usd_per_kg, own)


def test_the_border_adjustment_charges_what_comes_from_without():
    """Members charge others' goods by content, and not each other's."""
    policy = EnvironmentalStandard(producers="allied", border_adjustment=True, cost_usd_per_kg=5.0)
    market = RareEarthMarket(Scenario(years=1))
    c = market.catalogue
    duty = policy.amend(market.data.law, market.bulletin).import_duty_usd_per_kg
    magnet = c.good("ndfeb_standard_magnet")
    content = c.composition_reo_t_per_t[magnet].sum()
    assert duty[magnet, c.china, c.place("JPN")] == pytest.approx(5.0 * content)
    assert duty[magnet, c.place("USA"), c.place("JPN")] == 0.0
    assert duty[magnet, c.place("JPN"), c.china] == 0.0
