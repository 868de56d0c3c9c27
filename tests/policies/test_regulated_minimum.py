"""Floors on what sellers may ask."""

from __future__ import annotations

import numpy as np

from rare_market.model import RareEarthMarket
from rare_market.policies import MinimumImportPrice, RegulatedMinimum
from rare_market.records import Records
from rare_market.scenario import Scenario
from tests.conftest import run

GOODS = "ndpr_oxide+ndpr_metal"


def test_no_ask_of_the_places_bound_is_lower():
    """Every order in the book, and none of other places is lifted."""
    market = RareEarthMarket(Scenario(years=1), [RegulatedMinimum(start_year=2024.0)])
    market.step()
    c, asks = market.catalogue, market.posted.asks
    bound = (asks.good == c.good("ndpr_oxide")) & (c.allied[asks.place])
    assert asks.limit_usd_per_kg[bound].min() >= 110.0
    china = (asks.good == c.good("ndpr_oxide")) & (asks.place == c.china)
    assert asks.limit_usd_per_kg[china & (asks.quantity_t > 0)].max() < 110.0


def sold_t(records: Records) -> float:
    """NdPr oxide and metal that left or stayed in the places bound, in the last year."""
    c = records.catalogue
    places = c.allied | (np.arange(len(c.places)) == c.place("MYS"))
    goods = [c.good(g) for g in GOODS.split("+")]
    return float(records.flow_t[-12:, goods][:, :, places].sum())


def test_without_a_tariff_it_shuts_its_own_producers_and_with_one_it_does_not():
    """Buyers turn to China unless the same minimum holds at the border."""
    minimum = RegulatedMinimum(start_year=2024.0, goods=GOODS, minimum_usd_per_kg=80.0)
    levy = MinimumImportPrice(start_year=2024.0, goods=GOODS, minimum_usd_per_kg=80.0)
    free, alone, walled = (sold_t(run(p)) for p in ([], [minimum], [minimum, levy]))
    assert alone < 0.5 * free
    assert walled > alone
