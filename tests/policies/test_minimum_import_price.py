"""Variable levies of a club."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.ledger import KIND, REASON, Ledger, trade_cost_usd_per_kg
from rare_market.model import RareEarthMarket
from rare_market.policies import MinimumImportPrice
from rare_market.scenario import Scenario
from tests.conftest import CHN, METAL, USA, nobody_refuses, regime, run


def test_the_levy_is_what_the_border_price_falls_short_of_the_minimum():
    """Metal at 65 and freight 1 enters at 80: 14 USD/kg are levied on 10 t, to the cent."""
    rules = regime()
    rules.minimum_import_price_usd_per_kg[METAL, CHN, USA] = 80.0
    netback = np.full((5, 2), 65.0)
    cost = trade_cost_usd_per_kg(rules, netback, 0.0)
    assert cost.import_duty[METAL, CHN, USA] == pytest.approx(14.0)
    assert cost.import_duty[METAL, USA, CHN] == 0.0
    flow, price = np.zeros((5, 2, 2)), np.full((5, 2), 80.0)
    flow[METAL, CHN, USA] = 10.0
    ledger = Ledger(2)
    ledger.settle_trade(flow, price, netback, cost, *nobody_refuses())
    assert ledger.balance_usd[KIND["state"], USA, REASON["import_duty"]] == pytest.approx(140_000.0)
    assert ledger.balance_usd[KIND["state"], CHN, REASON["scarcity_rent"]] == pytest.approx(0.0)


@pytest.mark.parametrize(("price", "levy"), [(65.0, 0.5), (90.0, 9.1)])
def test_the_ordinary_duty_counts_towards_the_minimum(price, levy):
    """10 % of 66 leaves 0.5 of 7.1 to be levied; above the minimum the duty alone is charged."""
    rules = regime()
    rules.import_duty_share[METAL, CHN, USA] = 0.1
    rules.minimum_import_price_usd_per_kg[METAL, CHN, USA] = 73.1
    duty = trade_cost_usd_per_kg(rules, np.full((5, 2), price), 0.0).import_duty[METAL, CHN, USA]
    assert duty == pytest.approx(max(0.1 * (price + 1.0), 7.1 if price == 65.0 else levy))


def test_no_import_from_outside_the_club_is_cheaper_than_the_minimum():
    """Customs value and levy together, on every lane that was used in the year."""
    records = run([MinimumImportPrice(start_year=2024.0, minimum_usd_per_kg=90.0)], years=2)
    c = records.catalogue
    good, usa, jpn = c.good("ndpr_metal"), c.place("USA"), c.place("JPN")
    assert records.flow_t[:, good, c.china, jpn].sum() > 0.0
    used = records.flow_t[:, good, c.china, jpn] > 0.0
    price = records.price_usd_per_kg[used, good, jpn, 0]
    assert price.mean() >= 90.0
    assert price.min() >= 0.98 * 90.0  # the levy is set on the price of the month before
    assert records.balance_usd[:, KIND["state"], [usa, jpn], REASON["import_duty"]].sum() > 0.0


def test_members_and_partners_trade_freely():
    """No levy on Malaysian oxide into Japan, nor between members, nor on goods not named."""
    policy = MinimumImportPrice()
    market = RareEarthMarket(Scenario(years=1))
    c = market.catalogue
    rules = policy.amend(market.data.law, market.bulletin)
    least = rules.minimum_import_price_usd_per_kg
    oxide, jpn = c.good("ndpr_oxide"), c.place("JPN")
    assert least[oxide, c.china, jpn] == 110.0
    assert least[oxide, c.place("MYS"), jpn] == 0.0
    assert least[oxide, c.place("AUS"), jpn] == 0.0
    assert least[oxide, c.china, c.place("VNM")] == 0.0
    assert least[c.good("dy_oxide"), c.china, jpn] == 0.0
