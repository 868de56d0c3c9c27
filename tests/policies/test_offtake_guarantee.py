"""Offtake guarantees: physical purchases by a state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from rare_market.ledger import KIND, REASON
from rare_market.model import RareEarthMarket
from rare_market.policies import OfftakeGuarantee, Policy
from rare_market.records import CHANNELS, Records
from rare_market.scenario import Scenario
from tests.conftest import run

OFFTAKE = CHANNELS.index("offtake")
POLICY = OfftakeGuarantee(
    start_year=2025.0, volume_t_per_year=2400.0, buyer="JPN", producers="AUS+MYS"
)


@pytest.fixture(scope="module")
def guaranteed() -> Records:
    return run([POLICY])


def deliveries(records: Records) -> np.ndarray:
    """Rows of contract deliveries: month, channel, good, origin, destination, tonnes, price."""
    rows = np.array(records.contract_trades)
    return rows[rows[:, 1] == OFFTAKE]


def test_no_more_than_the_volume_is_delivered_in_a_month(guaranteed):
    """200 t a month, and all of it when producers have it."""
    rows = deliveries(guaranteed)
    by_month = np.bincount(rows[:, 0].astype(int), rows[:, 5], minlength=36)
    assert (by_month[:12] == 0.0).all()
    assert by_month.max() == pytest.approx(200.0)


def test_deliveries_are_of_the_goods_and_places_of_the_terms(guaranteed):
    """NdPr oxide from Australia and Malaysia to Japan."""
    c, rows = guaranteed.catalogue, deliveries(guaranteed)
    assert set(rows[:, 2]) == {c.good("ndpr_oxide")}
    assert set(rows[:, 3]) <= {c.place("AUS"), c.place("MYS")}
    assert set(rows[:, 4]) == {c.place("JPN")}


def test_the_state_pays_the_floor_while_the_market_is_below_it(guaranteed):
    """110 USD/kg, and the money reaches the producers."""
    rows = deliveries(guaranteed)
    np.testing.assert_allclose(rows[:, 6], 110.0)
    worth = float((rows[:, 5] * rows[:, 6]).sum() * 1000.0)
    paid = guaranteed.balance_usd[:, :, :, REASON["offtake"]].sum(axis=0)
    c = guaranteed.catalogue
    assert -paid[KIND["state"], c.place("JPN")] == pytest.approx(worth)
    assert paid[KIND["processor"]].sum() == pytest.approx(worth)


def test_without_a_floor_the_state_pays_the_last_market_price():
    """The price published at the start of the month, at the producer's place."""
    records = run([OfftakeGuarantee(start_year=2025.0, floor_usd_per_kg=0.0, rebate_share=0.0)])
    rows = deliveries(records)
    last = records.netback_usd_per_kg[
        rows[:, 0].astype(int) - 1, rows[:, 2].astype(int), rows[:, 3].astype(int)
    ]
    np.testing.assert_allclose(rows[:, 6], last)


def test_what_the_state_took_it_sells_again_at_home(guaranteed):
    """Its stock does not grow without bound."""
    market = RareEarthMarket(Scenario(years=3), [POLICY])
    held = []
    for _ in range(36):
        market.step()
        held.append(float((market.states.stockpile_t - market.states.reserve_t).sum()))
    taken = deliveries(market.records)[:, 5].sum()
    assert max(held) > 0.0
    assert held[-1] < 0.25 * taken


def test_two_offtakes_stand_side_by_side_and_do_not_take_the_same_tonne():
    """Together they deliver more than one and no more than there is."""
    second = OfftakeGuarantee(
        start_year=2025.0, volume_t_per_year=1e6, buyer="USA", producers="AUS+MYS"
    )
    records = run([POLICY, second], years=2)
    c, rows = records.catalogue, deliveries(records)
    taken = {place: rows[rows[:, 4] == c.place(place), 5].sum() for place in ("JPN", "USA")}
    assert taken["JPN"] > 0.0
    assert taken["USA"] > 0.0
    made = records.made_t[:, c.good("ndpr_oxide")][:, [c.place("AUS"), c.place("MYS")]]
    stock = 3.0 * made[:12].sum() / 12 * 4
    assert rows[:, 5].sum() <= made[11:].sum() + stock


def test_deliveries_are_shared_in_proportion_to_what_plants_have():
    """Each plant's part of the volume is its part of what is at hand."""
    market = RareEarthMarket(Scenario(years=2), [POLICY])
    for _ in range(12):
        market.step()
    market.publish()
    market.amend()
    plants, c = market.processors, market.catalogue
    legs = plants.product
    under = (legs.good == c.good("ndpr_oxide")) & np.isin(
        legs.place, [c.place("AUS"), c.place("MYS")]
    )
    at_hand = np.where(under, np.minimum(plants.product_stock_t, plants.made_t), 0.0)
    before = plants.product_stock_t.copy()
    market.deliver()
    taken = before - plants.product_stock_t
    np.testing.assert_allclose(
        taken, at_hand * min(1.0, 200.0 / at_hand.sum()), rtol=1e-9, atol=1e-9
    )


def test_deliveries_add_no_tonne():
    """What producers lose the state gains."""
    market = RareEarthMarket(Scenario(years=2), [POLICY])
    for _ in range(12):
        market.step()
    market.publish()
    market.amend()
    before = market.processors.product_stock_t.sum() + market.states.stockpile_t.sum()
    market.deliver()
    after = market.processors.product_stock_t.sum() + market.states.stockpile_t.sum()
    assert market.states.stockpile_t.sum() > 0.0
    assert after == pytest.approx(before, rel=1e-12)


@dataclass(frozen=True, kw_only=True)
class LaneLimit(Policy):
    """At most 50 t of any good a month from Malaysia to Japan."""

    name: ClassVar[str] = "lane_limit"
    summary: ClassVar[str] = "a limit on one lane"

    def amend(self, regime, bulletin):
        c = bulletin.catalogue
        limit_t = regime.flow_limit_t.copy()
        limit_t[:, c.place("MYS"), c.place("JPN")] = 50.0
        return regime._replace(flow_limit_t=limit_t)


def test_two_guarantees_share_one_lane_limit_with_the_market():
    terms = {"start_year": 2024.0, "producers": "MYS", "volume_t_per_year": 1200.0}
    guarantee = OfftakeGuarantee(**terms)
    records = run([LaneLimit(start_year=2024.0), guarantee, guarantee])
    trades = records.frame("trades").query("origin == 'MYS' and destination == 'JPN'")
    moved_t = trades[trades["good"] == "ndpr_oxide"].groupby("month")["quantity_t"].sum()
    assert moved_t.max() == pytest.approx(50.0)
