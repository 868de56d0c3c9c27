"""Shared know-how."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from rare_market.ledger import KIND, REASON
from rare_market.model import RareEarthMarket
from rare_market.policies import TechnologySharing
from rare_market.scenario import Scenario
from tests.conftest import CHN, PRICE_USD_PER_KG, USA, bulletin, regime, sectors


def test_the_cost_of_conversion_falls_towards_its_end_and_members_pay():
    """15 % in the end, with a memory of five years; 20 million a year each."""
    market = RareEarthMarket(
        Scenario(years=2, chemical_learning_share=0.0, metallurgical_learning_share=0.0),
        [TechnologySharing(start_year=2024.0, members="USA+JPN")],
    )
    m, c = market.processors, market.catalogue
    own = m.conversion_usd_per_kg.copy()
    for _ in range(24):
        market.step()
    share = m.conversion_usd_per_kg / own
    usa = m.place == c.place("USA")
    assert share[usa] == pytest.approx(np.full(usa.sum(), 1 - 0.15 * (1 - exp(-2.0 / 5.0))))
    assert (share[m.place == c.china] == 1.0).all()
    paid = market.records.balance_usd[:12, KIND["state"], :, REASON["programme"]].sum(axis=0)
    assert paid[c.place("JPN")] == pytest.approx(-20e6)
    assert np.count_nonzero(paid) == 2


def test_users_of_members_design_a_dear_element_out_sooner():
    """Two alike, one with research twice as fast: it has got further after two years."""
    users = sectors(2, place=[CHN, USA], cost_share=0.2)
    rules = regime(research_speed=np.array([1.0, 2.0]))
    dear = bulletin(10.0 * PRICE_USD_PER_KG)
    for _ in range(24):
        users.plan(dear, rules)
    assert users.intensity_share[1] < users.intensity_share[0] < 1.0
