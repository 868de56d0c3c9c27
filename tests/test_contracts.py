"""What is owed under price floors and offtakes, to the cent."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rare_market import contracts
from rare_market.contracts import (
    KG_PER_T,
    Offtake,
    deliveries_t,
    eligible_t,
    floor_payment_usd_per_kg,
    offtake_price_usd_per_kg,
)

STRIKE_USD_PER_KG, UPSIDE_SHARE = 110.0, 0.30
SOLD_T, STOCKPILED_T = np.array([500.0]), np.array([200.0])
ALL = np.array([True])


def owed_usd(market_usd_per_kg: float, covers_stockpiled: bool) -> float:
    tonnes = eligible_t(SOLD_T, STOCKPILED_T, covers_stockpiled)
    payment = floor_payment_usd_per_kg(
        np.array([market_usd_per_kg]), STRIKE_USD_PER_KG, UPSIDE_SHARE
    )
    return float((payment * tonnes * KG_PER_T).sum())


def offtake(**terms: float) -> Offtake:
    defaults = {
        "volume_t": 100.0,
        "floor_usd_per_kg": 110.0,
        "rebate_above_usd_per_kg": 150.0,
        "rebate_share": 0.3,
        "years_left": 10.0,
    }
    return Offtake(buyer=0, goods=ALL, places=ALL, **{**defaults, **terms})


def test_below_the_strike_the_state_pays_the_shortfall_on_tonnes_sold():
    """500 t x (110 - 60) USD/kg."""
    assert round(owed_usd(60.0, covers_stockpiled=False), 2) == 25_000_000.00


def test_below_the_strike_the_state_pays_on_stockpiled_tonnes_if_they_are_covered():
    """(500 + 200) t x (110 - 60) USD/kg."""
    assert round(owed_usd(60.0, covers_stockpiled=True), 2) == 35_000_000.00


def test_above_the_strike_the_state_receives_its_share_on_tonnes_sold():
    """500 t x 30 % x (130 - 110) USD/kg, to the state."""
    assert round(owed_usd(130.0, covers_stockpiled=False), 2) == -3_000_000.00


def test_above_the_strike_the_state_receives_its_share_on_stockpiled_tonnes_if_covered():
    """(500 + 200) t x 30 % x (130 - 110) USD/kg, to the state."""
    assert round(owed_usd(130.0, covers_stockpiled=True), 2) == -4_200_000.00


def test_at_the_strike_nobody_pays():
    """The two branches of the payment meet in zero."""
    assert owed_usd(STRIKE_USD_PER_KG, covers_stockpiled=True) == 0.0


def test_stock_drawn_down_is_not_paid_a_second_time():
    """A covered tonne is paid when it is made, so selling it from stock brings nothing more."""
    made_and_stocked = eligible_t(np.array([0.0]), np.array([50.0]), True)
    sold_later = eligible_t(np.array([50.0]), np.array([-50.0]), True)
    assert made_and_stocked.tolist() == [50.0]
    assert sold_later.tolist() == [0.0]


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1))
def test_a_floor_never_leaves_a_producer_below_the_strike(market, strike, upside):
    """Price and payment together are at least the strike below it, and grow above it."""
    payment = floor_payment_usd_per_kg(np.array([market]), strike, upside)[0]
    assert market + payment >= min(strike, market) - 1e-9
    if market <= strike:
        assert market + payment == pytest.approx(strike)
    else:
        assert strike - 1e-9 <= market + payment <= market


@given(st.floats(0, 1e3), st.floats(0, 1e3), st.floats(0, 1e3), st.floats(0, 1))
def test_the_payment_of_a_floor_falls_with_the_market_price(low, rise, strike, upside):
    """The state is the less liable the dearer the market."""
    payment = floor_payment_usd_per_kg(np.array([low, low + rise]), strike, upside)
    assert payment[1] <= payment[0]


@pytest.mark.parametrize(
    ("market", "paid"),
    [(60.0, 110.0), (110.0, 110.0), (130.0, 130.0), (150.0, 150.0), (170.0, 164.0)],
)
def test_an_offtake_pays_the_market_but_no_less_than_its_floor_and_less_a_rebate(market, paid):
    """With a 110 USD/kg floor and a rebate of 30 % above 150 USD/kg."""
    assert offtake_price_usd_per_kg(np.array([market]), offtake())[0] == pytest.approx(paid)


def test_an_offtake_without_floor_and_rebate_pays_the_market_price():
    """A plain purchase is the case with neither term."""
    market = np.array([0.0, 60.0, 500.0])
    terms = offtake(floor_usd_per_kg=0.0, rebate_share=0.0)
    np.testing.assert_array_equal(offtake_price_usd_per_kg(market, terms), market)


def test_deliveries_share_the_volume_in_proportion_to_what_is_available():
    """40 t on hand against 20 t wanted: each delivers half."""
    assert deliveries_t(np.array([30.0, 10.0]), 20.0).tolist() == [15.0, 5.0]


def test_deliveries_are_all_there_is_when_the_volume_is_not_reached():
    """Nobody delivers more than it has."""
    assert deliveries_t(np.array([30.0, 10.0]), 100.0).tolist() == [30.0, 10.0]


def test_nothing_is_delivered_of_nothing():
    """An empty store and an empty volume both deliver nothing."""
    assert deliveries_t(np.zeros(2), 20.0).tolist() == [0.0, 0.0]
    assert deliveries_t(np.array([30.0, 10.0]), 0.0).tolist() == [0.0, 0.0]


tonnes = st.one_of(st.just(0.0), st.floats(1e-9, 1e4))


@given(st.lists(tonnes, min_size=1, max_size=6), tonnes)
def test_deliveries_never_exceed_the_volume_nor_the_stock(available, volume):
    """Both bounds hold for any stocks and volume."""
    stock = np.array(available)
    delivered = deliveries_t(stock, volume)
    assert (delivered >= 0).all()
    assert (delivered <= stock * (1 + 1e-12)).all()
    assert delivered.sum() <= volume * (1 + 1e-9) + 1e-12
    assert delivered.sum() == pytest.approx(min(volume, stock.sum()), abs=1e-9)


def test_the_examples_in_the_docstrings_are_true():
    """The doctests of the module."""
    result = doctest.testmod(contracts)
    assert result.attempted > 0
    assert result.failed == 0
