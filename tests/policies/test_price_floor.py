"""Price floors as contracts for difference."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.agents.processor import Processors
from rare_market.ledger import KIND, REASON
from rare_market.measures import price_outside_usd_per_kg, public_cost_usd
from rare_market.model import RareEarthMarket
from rare_market.policies import PriceFloor
from rare_market.scenario import Scenario
from tests.conftest import run

FLOOR = REASON["price_floor"]


def stepped(policy: PriceFloor, months: int = 14) -> RareEarthMarket:
    market = RareEarthMarket(Scenario(years=2), [policy])
    for _ in range(months):
        market.step()
    return market


def covered(plants: Processors, market: RareEarthMarket, policy: PriceFloor) -> np.ndarray:
    c = market.catalogue
    places = [c.place(p) for p in policy.producers.split("+")]
    legs = plants.product
    return (legs.good == c.good(policy.goods)) & np.isin(legs.place, places)


@pytest.mark.parametrize("strike", [110.0, 20.0])
def test_the_state_settles_the_difference_on_tonnes_sold(strike):
    """Below the strike it pays, above it receives its share, to the cent."""
    policy = PriceFloor(
        start_year=2025.0,
        strike_usd_per_kg=strike,
        upside_share=0.3,
        payer="USA",
        producers="AUS+MYS",
    )
    market = stepped(policy)
    legs = market.processors.product
    under = covered(market.processors, market, policy)
    price = market.records.netback_usd_per_kg[13][legs.good, legs.place]
    gap = strike - price
    per_kg = np.maximum(gap, 0.0) - 0.3 * np.maximum(-gap, 0.0)
    owed = float((under * market.processors.sold_t * per_kg).sum() * 1000.0)
    paid = -market.ledger.balance_usd[KIND["state"], market.catalogue.place("USA"), FLOOR]
    assert owed != 0.0
    assert (owed > 0) == (strike == 110.0)
    assert paid == pytest.approx(owed, abs=0.01)


def test_a_floor_on_stockpiled_tonnes_is_paid_on_sales_and_the_change_of_stock():
    """Twice the same terms, once with stocks."""
    policy = PriceFloor(
        start_year=2025.0, upside_share=0.0, covers_stockpiled=True, producers="AUS+MYS"
    )
    market = stepped(policy)
    plants, legs = market.processors, market.processors.product
    under = covered(plants, market, policy)
    price = market.records.netback_usd_per_kg[13][legs.good, legs.place]
    tonnes = under * (plants.sold_t + plants.stock_change_t)
    owed = float((tonnes * np.maximum(110.0 - price, 0.0)).sum() * 1000.0)
    paid = -market.ledger.balance_usd[KIND["state"], market.catalogue.place("USA"), FLOOR]
    assert (under * plants.stock_change_t).sum() != 0.0
    assert paid == pytest.approx(owed, abs=0.01)


def test_only_covered_producers_are_paid_and_only_the_payer_pays():
    """Plants in Malaysia, the treasury of Japan."""
    records = run([PriceFloor(start_year=2025.0, payer="JPN", producers="MYS")])
    c = records.catalogue
    by_place = records.balance_usd[:, :, :, FLOOR].sum(axis=0)
    assert by_place[KIND["processor"], c.place("MYS")] > 0.0
    assert by_place[KIND["state"], c.place("JPN")] < 0.0
    assert np.count_nonzero(by_place) == 2


def test_contracts_stand_side_by_side(data):
    """The second floor tops up only what the first has left: the higher strike is paid, once."""
    one = PriceFloor(start_year=2025.0, upside_share=0.0, producers="MYS", strike_usd_per_kg=100.0)
    two = PriceFloor(start_year=2025.0, upside_share=0.0, producers="MYS", strike_usd_per_kg=90.0)
    market = RareEarthMarket(Scenario(years=2), [one, two])
    for _ in range(13):
        market.step()
    assert [f.strike_usd_per_kg for f in market.regime.price_floors] == [100.0, 90.0]
    c = market.catalogue
    good, place = c.good("ndpr_oxide"), c.place("MYS")
    price = market.records.netback_usd_per_kg[12, good, place]
    legs = market.processors.product
    at = (legs.good == good) & (legs.place == place)
    owed = (100.0 - price) * market.processors.sold_t[at].sum() * 1000.0
    paid = market.ledger.balance_usd[KIND["processor"], place, FLOOR]
    assert paid == pytest.approx(owed, abs=0.01)


def test_a_floor_costs_the_public_less_the_higher_the_market_price():
    """The same contract in a world of slow, normal and fast demand, 2025 to 2029."""
    prices, costs = [], []
    for growth in (0.0, 1.0, 2.0, 3.0):
        records = run([PriceFloor(start_year=2025.0)], years=6, demand_growth_multiplier=growth)
        prices.append(price_outside_usd_per_kg(records, "ndpr_oxide", 2025, 2029))
        costs.append(public_cost_usd(records, 2025, 2029))
    assert prices == sorted(prices)
    assert costs == sorted(costs, reverse=True)


def test_a_higher_strike_costs_the_public_more():
    """80, 110 and 140 USD/kg over two years."""
    costs = [
        public_cost_usd(run([PriceFloor(start_year=2025.0, strike_usd_per_kg=strike)]), 2025, 2026)
        for strike in (80.0, 110.0, 140.0)
    ]
    assert costs == sorted(costs)


def test_a_floor_leaves_the_market_price_where_it_is_or_lower(short_run):
    """Producers are insulated, buyers still buy cheaply."""
    records = run([PriceFloor(start_year=2025.0)])
    protected, free = (
        price_outside_usd_per_kg(r, "ndpr_oxide", 2025, 2026) for r in (records, short_run)
    )
    assert protected <= 1.01 * free
