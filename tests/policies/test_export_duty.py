"""Duties on exports, by value and by weight."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.ledger import KIND, REASON
from rare_market.model import RareEarthMarket
from rare_market.policies import ExportDuty
from rare_market.records import Records
from rare_market.scenario import Scenario
from tests.conftest import run


@pytest.fixture(scope="module")
def taxed() -> Records:
    return run([ExportDuty(start_year=2025.0, rate_share=0.25, rate_usd_per_kg=2.0)])


def test_both_parts_are_in_the_cost_of_a_lane():
    """25 % of last month's price and 2 USD per kg on top of what the law takes."""
    market = RareEarthMarket(
        Scenario(years=2), [ExportDuty(start_year=2024.0, rate_usd_per_kg=2.0)]
    )
    market.publish()
    market.amend()
    c = market.catalogue
    good, jpn = c.good("dy_oxide"), c.place("JPN")
    price = market.bulletin.netback_usd_per_kg[good, c.china]
    assert market.cost.export_tax[good, c.china, jpn] == pytest.approx((0.13 + 0.15) * price + 2.0)
    assert market.cost.export_tax[good, c.china, c.china] == 0.0
    assert market.cost.export_tax[good, c.place("MYS"), jpn] == 0.0


def test_the_treasury_of_the_origin_gets_it(taxed, short_run):
    """More than without over two years, and nobody else does."""
    revenue = [
        r.balance_usd[12:, KIND["state"], :, REASON["export_tax"]] for r in (taxed, short_run)
    ]
    taxed_usd, free_usd = (usd.sum(axis=0) for usd in revenue)
    assert taxed_usd[taxed.catalogue.china] > 1.5 * free_usd[taxed.catalogue.china] > 0.0
    assert np.count_nonzero(taxed_usd) == 1


def test_a_duty_parts_the_price_abroad_from_the_price_at_home(taxed, short_run):
    """Dysprosium is dearer in Japan over the price in China than without the duty."""
    c = taxed.catalogue
    good, jpn = c.good("dy_oxide"), c.place("JPN")

    def wedge(records: Records) -> float:
        abroad = records.price_usd_per_kg[24:, good, jpn, 0]
        home = records.netback_usd_per_kg[24:, good, c.china]
        return float(np.mean(abroad / home))

    assert wedge(taxed) > wedge(short_run) + 0.15
