"""Holders of export licences: what they ask, and how a rent outlives the scarcity that made it."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.agents.licence import LicenceHolders, licence_ask_usd_per_kg
from rare_market.model import RareEarthMarket
from rare_market.policies import ExportQuota
from rare_market.regime import ExportQuota as Terms
from rare_market.scenario import Scenario

TIGHT = Terms(origin=0, goods=np.array([True, False]), quota_t=100.0, to_exporters=True)


def sell(holders: LicenceHolders, share: float, scarcity: float, terms: Terms = TIGHT) -> float:
    """Sell a share of 100 t in a month, and 7 t at home; returns the rent paid."""
    flow_t = np.zeros((2, 2, 2))
    flow_t[0, 0] = 7.0, share * 100.0
    flow_t[1, 0] = 5.0  # of a good it does not count
    (rent,) = holders.sell([terms], np.array([scarcity]), np.array([100.0]), flow_t)
    return float(rent)


def holders(share: float, scarcity: float, terms: Terms = TIGHT) -> LicenceHolders:
    some = LicenceHolders(memory_months=1.0)
    assert sell(some, share, scarcity, terms) == scarcity
    return some


def test_buyers_pay_what_is_asked_and_the_shadow_price_on_top():
    assert sell(holders(1.0, 40.0), 1.0, 15.0) == 55.0


def test_licences_sold_out_are_asked_the_same_rent_again():
    assert holders(1.0, 40.0).ask_usd_per_kg(TIGHT) == 40.0


def test_what_could_not_be_sold_is_taken_off_the_ask():
    """With nothing sold all of it, with half sold a half."""
    assert holders(0.0, 40.0).ask_usd_per_kg(TIGHT) == 0.0
    assert holders(0.5, 40.0).ask_usd_per_kg(TIGHT) == pytest.approx(20.0)
    assert licence_ask_usd_per_kg(40.0, 0.75) == 30.0


def test_one_month_without_trade_says_little():
    """Holders look at the share sold over some months."""
    some = LicenceHolders(memory_months=4.0)
    sell(some, 1.0, 40.0)
    assert sell(some, 0.0, 0.0) == 40.0
    assert some.ask_usd_per_kg(TIGHT) == pytest.approx(40.0 * (1.0 - 1.0 / 4.0))


def test_a_treasury_asks_nothing_and_an_ended_quota_is_forgotten():
    sold_by_state = TIGHT._replace(to_exporters=False)
    assert holders(1.0, 40.0, sold_by_state).ask_usd_per_kg(sold_by_state) == 0.0
    some = holders(1.0, 40.0)
    some.sell([], np.zeros(0), np.zeros(0), np.zeros((2, 2, 2)))
    assert some.ask_usd_per_kg(TIGHT) == 0.0


def test_a_rent_outlives_the_scarcity_that_made_it():
    """A tight quota, then a wide one: the rent fades over months."""
    quotas = [
        ExportQuota(start_year=2024.0, duration_years=0.5, quota_t_per_year=10_000.0),
        ExportQuota(start_year=2024.5, duration_years=1.5, quota_t_per_year=90_000.0),
    ]
    market = RareEarthMarket(Scenario(years=1), quotas)
    for _ in range(10):
        market.step()
    rents = [float(r.max()) for r in market.records.quota_rent_usd_per_kg]
    assert rents[5] > 0.0
    assert 0.0 < rents[9] < rents[6]
