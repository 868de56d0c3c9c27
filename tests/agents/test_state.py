"""States: resale of what offtakes deliver, and the mining quota."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rare_market.agents.state import (
    BATCH_MONTHS,
    QUOTA_GROWTH_RANGE,
    RESALE_STEPS,
    States,
    quota_growth_share,
)
from rare_market.scenario import Scenario
from tests.conftest import CHN, OXIDE, USA, Sheet, bulletin, regime

NORMAL = {
    "price_usd_per_kg": 50.0,
    "band_usd_per_kg": 50.0,
    "use_growth_per_year": 0.0,
    "demand_share": 0.5,
    "response": 0.06,
    "stock_ratio": 1.0,
    "stock_response": 0.3,
    "ordered_per_year": 0.0,
}


def growth(**changed: float) -> float:
    return quota_growth_share(**{**NORMAL, **changed})


def states(scenario: Scenario | None = None) -> States:
    return States(
        names=("CHN", "USA"),
        stockpile_t=np.zeros((2, 5)),
        quota_good=OXIDE,
        quota_place=CHN,
        scenario=scenario or Scenario(),
    )


def test_the_quota_stays_when_price_use_and_stocks_are_normal():
    """Nothing to correct."""
    assert growth() == 0.0


@pytest.mark.parametrize(
    ("changed", "share"),
    [
        ({"use_growth_per_year": 0.08}, 0.04),
        ({"price_usd_per_kg": 100.0}, 0.06),
        ({"ordered_per_year": 0.08}, 0.08),
        ({"use_growth_per_year": 0.2, "stock_ratio": 1.2}, 0.04),
    ],
)
def test_the_quota_grows_with_use_price_and_orders_and_less_in_a_glut(changed, share):
    """Each term of the rule on its own, and stocks a fifth above target against use."""
    assert growth(**changed) == pytest.approx(share)


def test_the_quota_is_never_cut():
    """Half the price, shrinking use and a glut leave it where it is."""
    assert growth(price_usd_per_kg=25.0, use_growth_per_year=-0.1, stock_ratio=3.0) == 0.0


def test_low_stocks_add_nothing():
    """Only an excess over the target counts."""
    assert growth(use_growth_per_year=0.1, stock_ratio=0.2) == growth(use_growth_per_year=0.1)


@given(
    st.fixed_dictionaries(
        {
            "price_usd_per_kg": st.floats(0, 1e4),
            "use_growth_per_year": st.floats(-0.1, 0.1),
            "demand_share": st.floats(0, 2),
            "response": st.floats(0, 2),
            "stock_ratio": st.floats(0, 10),
            "stock_response": st.floats(0, 2),
            "ordered_per_year": st.floats(0, 0.5),
        }
    )
)
def test_the_quota_grows_by_no_more_than_a_quarter_a_year(terms):
    """For any price, use, stock and order."""
    low, high = QUOTA_GROWTH_RANGE
    assert low <= growth(**terms) <= high


def test_a_state_offers_what_it_holds_half_of_it_below_the_last_price():
    """30 t of oxide at home at 45 and 50 USD/kg."""
    cohort = states()
    sheet = Sheet(cohort)
    cohort.stockpile_t[USA, OXIDE] = 30.0
    cohort.post(sheet, bulletin(), regime())
    quantity, limit = (column.reshape(2, 5, RESALE_STEPS) for column in sheet.asks["state"])
    assert quantity[USA, OXIDE].tolist() == [15.0, 15.0]
    assert limit[USA, OXIDE].tolist() == [45.0, 50.0]
    assert quantity.sum() == 30.0


def test_resold_tonnes_leave_the_stock_of_their_state():
    """20 of 30 t sold."""
    cohort = states()
    cohort.stockpile_t[USA, OXIDE] = 30.0
    fill = np.zeros((2, 5, RESALE_STEPS))
    fill[USA, OXIDE] = [15.0, 5.0]
    held = cohort.stockpile_t.copy()
    none = np.zeros(0)
    cohort.settle(fill.ravel(), none, none)
    sold_t = held - cohort.stockpile_t
    assert sold_t[USA, OXIDE] == sold_t.sum() == 20.0
    assert cohort.stockpile_t[USA, OXIDE] == 10.0


def test_a_row_of_the_states_is_that_state_alone():
    """What one state holds does not change what another offers."""
    both, alone = states(), states()
    sheet, other = Sheet(both), Sheet(both)
    both.stockpile_t[:] = [[1.0, 2.0, 3.0, 4.0, 5.0], [9.0, 0.0, 7.0, 0.0, 2.0]]
    alone.stockpile_t[USA] = both.stockpile_t[USA]
    both.post(sheet, bulletin(), regime())
    alone.post(other, bulletin(), regime())
    for one, another in zip(sheet.asks["state"], other.asks["state"], strict=True):
        np.testing.assert_array_equal(one.reshape(2, -1)[USA], another.reshape(2, -1)[USA])


def test_the_mining_quota_is_set_twice_a_year_for_its_place_alone():
    """Half a year at double the band at a response of 0.1 a year lifts it by half of a tenth."""
    scenario = Scenario(quota_price_response=0.1, quota_price_band_usd_per_kg=25.0)
    cohort = states(scenario)
    bought_t = np.zeros((5, 2))
    bought_t[OXIDE, CHN] = 100.0
    for period in range(BATCH_MONTHS):
        assert cohort.quota_index.tolist() == [1.0, 1.0]
        cohort.plan(period, bulletin(), regime(), bought_t)
    assert cohort.quota_index.tolist() == pytest.approx([1.1**0.5, 1.0])


def test_output_ordered_by_a_policy_is_added_to_the_rule():
    """8 % a year, compounded over two years."""
    scenario = Scenario(quota_price_response=0.0)
    cohort = states(scenario)
    rules = regime(output_growth_per_year=np.array([0.08, 0.5]))
    for period in range(24):
        cohort.plan(period, bulletin(), rules, np.ones((5, 2)))
    assert cohort.quota_index.tolist() == pytest.approx([1.08**2, 1.0])
