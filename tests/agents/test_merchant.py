"""Merchants: what speculators store and when they sell, and how smuggling follows the wedge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rare_market.agents.merchant import Merchants, smuggled_t
from rare_market.scenario import Scenario
from tests.conftest import CATALOGUE, CHN, OXIDE, USA, Sheet, bulletin, regime


def merchants(scenario: Scenario | None = None, **columns: object) -> Merchants:
    """Return a speculator in China with room for 90 t, and a smuggler of 12 t a month to the US."""
    own = {
        "good": np.array([OXIDE, OXIDE]),
        "place": np.array([CHN, CHN]),
        "sells_at": np.array([CHN, USA]),
        "room_t": np.array([90.0, 12.0]),
        "most_t": np.array([0.0, 36.0]),
        "usual_premium": np.zeros(2),
        "cost_usd_per_kg": np.array([0.0, 2.0]),
        "risk_share": np.array([0.0, 0.1]),
    }
    return Merchants(
        names=("store", "smuggle"), **{**own, **columns}, scenario=scenario or Scenario()
    )


def post(cohort: Merchants, sheet: Sheet, published: Any = None, **rules: Any) -> Sheet:
    """Let merchants post under rules in which freight is one USD/kg abroad."""
    under = regime(**rules)
    cohort.post(sheet, published or bulletin(), under, under.freight_usd_per_kg)
    return sheet


def rising(trend_per_month: float) -> object:
    published = bulletin()
    return published._replace(
        trend_per_month=np.full_like(published.trend_per_month, trend_per_month)
    )


def test_a_speculator_buys_while_the_trend_beats_the_carrying_cost():
    """A third of the gap a month; nothing in a quiet market."""
    cohort = merchants()
    quiet, boom = Sheet(cohort), Sheet(cohort)
    post(cohort, quiet)
    post(cohort, boom, rising(0.2))
    assert quiet.bids["merchant"][0][0] == 0.0
    assert boom.bids["merchant"][0][0] == pytest.approx(90.0 / 3.0)


def test_a_speculator_sells_what_it_holds_when_the_rise_ends():
    cohort = merchants()
    sheet = Sheet(cohort)
    cohort.inventory_t[0] = 60.0
    post(cohort, sheet)
    assert sheet.asks["merchant"][0][0].sum() == pytest.approx(60.0 / 3.0)


def test_a_speculator_stores_when_the_premium_abroad_grows():
    """Twice as dear abroad: worth storing where both were equal before, not where that is usual."""
    scenario, published = Scenario(parity_response=1.0), bulletin()
    price = published.price_usd_per_kg.copy()
    price[:, USA] *= 2.0
    for usual, stores in ((0.0, True), (np.log(2.0), False)):
        cohort = merchants(scenario, usual_premium=np.full(2, usual))
        sheet = Sheet(cohort)
        post(cohort, sheet, published._replace(price_usd_per_kg=price))
        assert (sheet.bids["merchant"][0][0] > 0.0) == stores


def test_a_smuggler_bids_what_a_load_brings_abroad_less_risk_and_cost():
    """50 USD/kg abroad, a tenth lost, 2 USD/kg of outlay: 43."""
    cohort = merchants()
    sheet = Sheet(cohort)
    post(cohort, sheet)
    quantity, limit = sheet.bids["merchant"]
    assert quantity[1] == 12.0
    assert limit[1] == pytest.approx(0.9 * 50.0 - 2.0)


def test_a_smuggled_load_arrives_less_what_is_lost_on_the_way():
    cohort = merchants()
    cohort.inventory_t[:] = 0.0
    cohort.settle(np.zeros(4), np.array([0.0, 10.0]))
    assert cohort.inventory_t[1] == pytest.approx(9.0)
    assert cohort.lost_t[1] == pytest.approx(1.0)


def reseller() -> Merchants:
    """Return the merchants with one more in China, who buys oxide there to sell it on."""
    cohort = merchants()
    through = np.zeros((5, 2), dtype=bool)
    through[OXIDE, CHN] = True
    cohort.open_routes(through, CATALOGUE)
    return cohort


def test_a_reseller_bids_what_the_good_brings_abroad_less_freight_and_a_premium_for_risk():
    """50 USD/kg abroad, a dollar of freight, a tenth for the risk; as much as rules leave it."""
    diverted_t = np.zeros((5, 2))
    diverted_t[OXIDE, CHN] = 7.0
    cohort = reseller()
    sheet = post(cohort, Sheet(cohort), diverted_t=diverted_t)
    quantity, limit = sheet.bids["merchant"]
    assert quantity[2] == 7.0
    assert limit[2] == pytest.approx(0.9 * (50.0 - 1.0))


def test_without_a_rule_a_reseller_buys_nothing_and_sells_what_it_has_left():
    """In two steps, a tenth below what it brings abroad and at it."""
    cohort = reseller()
    cohort.inventory_t[2] = 4.0
    sheet = post(cohort, Sheet(cohort))
    assert sheet.bids["merchant"][0][2] == 0.0
    assert sheet.asks["merchant"][0][2].tolist() == [2.0, 2.0]
    assert sheet.asks["merchant"][1][2] == pytest.approx([0.9 * 49.0, 49.0])


def test_smuggling_follows_its_margin_with_a_lag_up_to_what_routes_can_take():
    """Usually 12 t, at most 36 t, half of the way at a margin of one, a sixth of a gap a month."""
    trade_t = np.array([12.0, 12.0, 12.0, 24.0])
    margin_share = np.array([0.0, 1.0, 1e9, -0.5])
    moved_t = smuggled_t(trade_t, np.full(4, 12.0), np.full(4, 36.0), margin_share, 1.0, 6.0)
    assert moved_t.tolist() == pytest.approx([12.0, 14.0, 16.0, 22.0])
