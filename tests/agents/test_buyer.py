"""Sectors: how much they use, how they thrift, what they bid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rare_market.agents.buyer import (
    BID_STEPS,
    NO_SUBSTITUTE,
    activity_path,
    redesign_aim_share,
    researched_share,
    use_t,
)
from rare_market.scenario import Scenario
from tests.conftest import (
    CHN,
    METAL,
    OXIDE,
    PRICE_USD_PER_KG,
    USA,
    Sheet,
    bulletin,
    regime,
    sectors,
)

rows_of_sectors = st.lists(
    st.fixed_dictionaries(
        {
            "place": st.sampled_from([CHN, USA]),
            "good": st.sampled_from([OXIDE, METAL]),
            "buyer_class": st.sampled_from([0, 1]),
            "demand_t": st.floats(0.01, 1e4),
            "elasticity": st.floats(-2.0, 0.0),
            "cover_months": st.floats(0.0, 6.0),
            "first_price_usd_per_kg": st.floats(1.0, 500.0),
            "extrapolation_share": st.floats(-1.0, 2.0),
            "cost_share": st.floats(0.0, 1.0),
        }
    ),
    min_size=2,
    max_size=4,
)


def one(value: float) -> np.ndarray:
    return np.array([value])


def priced(oxide_usd_per_kg: float) -> np.ndarray:
    price = PRICE_USD_PER_KG.copy()
    price[OXIDE] = oxide_usd_per_kg
    return price


def test_use_is_normal_at_the_first_price_and_falls_by_its_elasticity():
    """At double the price and an elasticity of -0.5, use falls to 0.707."""
    assert use_t(one(10.0), one(50.0), one(50.0), one(-0.5))[0] == 10.0
    assert use_t(one(10.0), one(100.0), one(50.0), one(-0.5))[0] == pytest.approx(7.0711, abs=1e-4)


def test_a_redesign_aims_lower_where_the_rare_earth_weighs_in_the_cost():
    """At four times the price and elasticity 0.5: half where it is all the cost, else nothing."""
    aim = redesign_aim_share(np.array([4.0, 4.0]), np.array([1e9, 1e-9]), 0.02, 0.5)
    assert aim.tolist() == pytest.approx([0.5, 1.0])


def test_half_the_response_is_triggered_at_the_trigger_share():
    """Cost share 0.5 % at four times the price is 2 %, the trigger: half the elasticity."""
    assert redesign_aim_share(one(4.0), one(0.005), 0.02, 1.0)[0] == pytest.approx(4.0**-0.5)


def test_nothing_is_designed_back_in_beyond_the_first_design():
    """A price below the first, or none, aims at the first design."""
    assert redesign_aim_share(np.array([0.5, 0.0]), one(0.1), 0.02, 0.5).tolist() == [1.0, 1.0]


def test_research_closes_a_part_of_the_gap_each_month_and_returns_more_slowly():
    """Down from 1 to an aim of a half in tenths; up from 0.8 at a fifth of that speed."""
    assert researched_share(one(1.0), one(0.5), 10.0, 0.2)[0] == pytest.approx(0.95)
    assert researched_share(one(0.8), one(1.0), 10.0, 0.2)[0] == pytest.approx(0.804)


def test_products_follow_designs_with_a_lag():
    """After a first dear month designs have moved and products have not moved as far."""
    buyers = sectors(cost_share=0.5)
    buyers.plan(bulletin(priced(500.0)), regime())
    assert buyers.designed_share[0] < buyers.intensity_share[0] < 1.0


def test_a_sector_switches_to_the_substitute_that_has_become_cheaper():
    """Oxide at ten times its first price, metal at its own: use moves from one to the other."""
    buyers = sectors(
        2,
        good=[OXIDE, METAL],
        first_price_usd_per_kg=[50.0, 65.0],
        demand_t=[10.0, 0.0],
        substitute=[1, NO_SUBSTITUTE],
        cost_share=0.2,
        scenario=Scenario(thrift_elasticity=0.0),
    )
    for _ in range(24):
        buyers.plan(bulletin(priced(500.0)), regime())
    kept, switched = buyers.normal_use_t(0)
    assert kept < 9.0
    assert kept + switched == pytest.approx(10.0)


def test_no_bid_for_a_better_grade_exceeds_its_premium_over_the_other():
    """The other costs 65, half as much again is 97.5."""
    buyers = sectors(
        2,
        good=[OXIDE, METAL],
        first_price_usd_per_kg=[50.0, 65.0],
        substitute=[1, NO_SUBSTITUTE],
        cost_share=0.001,
        scenario=Scenario(grade_premium_share=0.5, consumer_step_share=0.5),
    )
    sheet = Sheet(buyers)
    buyers.post(0, sheet, bulletin(priced(500.0)), regime())
    assert sheet.bids["buyer"][1][0].max() == pytest.approx(97.5)
    assert sheet.bids["buyer"][1][1].max() == pytest.approx(97.5)


def test_activity_averages_one_over_the_first_year():
    """Demand in the table is that of the whole first year."""
    years = 2024.0 + np.arange(12) / 12
    index = activity_path(years, 2024.0, np.array([2024.0, 2030.0]), np.array([1.0, 1.1**6]))
    assert index.mean() == pytest.approx(1.0, abs=1e-3)
    assert (np.diff(index) > 0).all()


def test_activity_grows_evenly_between_the_middles_of_its_years_and_beyond_the_last():
    """10 % a year to mid 2030, 5 % after, also beyond 2035."""
    years = 2024.0 + np.arange(180) / 12
    knots, index = np.array([2024.0, 2030.0, 2035.0]), 1.1**6 * np.array([1.1**-6, 1.0, 1.05**5])
    path = activity_path(years, 2024.0, knots, index)
    assert path[24] / path[12] == pytest.approx(1.1)
    assert path[108] / path[96] == pytest.approx(1.05)
    assert path[179] / path[167] == pytest.approx(1.05)


def test_a_sector_with_one_year_of_activity_stays_level():
    years = 2024.0 + np.arange(12) / 12
    assert activity_path(years, 2024.0, np.array([2024.0]), np.array([3.0])).tolist() == [1.0] * 12


def test_a_sector_with_its_stock_bids_for_a_month_of_use_most_of_it_urgently():
    """70 % well above the last price, the rest near it."""
    buyers = sectors(scenario=Scenario(consumer_step_share=0.6))
    sheet = Sheet(buyers)
    buyers.post(0, sheet, bulletin(), regime())
    quantity, limit = sheet.bids["buyer"]
    assert quantity[0].tolist() == pytest.approx([7.0, 2.0, 1.0])
    assert limit[0].tolist() == pytest.approx([80.0, 54.0, 51.0])


def test_no_bid_exceeds_the_price_at_which_a_sector_goes_without():
    """Ten times the first price: with a cost share of a tenth the product costs 90 % more."""
    buyers = sectors(cost_share=0.1, scenario=Scenario(choke_cost_rise=0.9))
    sheet = Sheet(buyers)
    buyers.post(0, sheet, bulletin(priced(4000.0)), regime())
    assert sheet.bids["buyer"][1].tolist() == [[500.0] * BID_STEPS]


def test_what_stock_cannot_cover_is_a_shortage():
    """20 t in stock and nothing bought, with a use of 10 t a month: dry in the third month."""
    buyers = sectors()
    shortages, stocks = [], []
    for period in range(3):
        buyers.post(period, Sheet(buyers), bulletin(), regime())
        buyers.settle(np.zeros(BID_STEPS))
        shortages.append(float(buyers.shortage_t[0]))
        stocks.append(float(buyers.inventory_t[0]))
    assert shortages == [0.0, 0.0, 10.0]
    assert stocks == [10.0, 0.0, 0.0]


def test_a_sector_uses_from_what_it_holds_and_buys():
    """Stock change is purchases less use."""
    buyers = sectors()
    buyers.post(0, Sheet(buyers), bulletin(), regime())
    buyers.settle(np.array([7.0, 2.0, 0.5]))
    assert buyers.bought_t[0] == 9.5
    assert buyers.consumed_t[0] == 10.0
    assert buyers.inventory_t[0] == pytest.approx(19.5)


@settings(deadline=None, max_examples=40)
@given(rows_of_sectors, st.floats(1.0, 1e3), st.floats(-0.5, 0.5))
def test_a_row_of_many_sectors_behaves_as_that_sector_alone(rows, oxide_usd_per_kg, trend):
    """Bids, settling and three months of planning give equal numbers."""
    published = bulletin(priced(oxide_usd_per_kg))
    published = published._replace(trend_per_month=np.full((5, 2), trend))
    many = lived(sectors(len(rows), **{k: [row[k] for row in rows] for k in rows[0]}), published)
    for i, row in enumerate(rows):
        alone = lived(sectors(**row), published)
        np.testing.assert_allclose(many[:, i], alone[:, 0], rtol=1e-12)


def lived(cohort: Any, published: Any) -> np.ndarray:
    """Post, buy half of the first step and plan, three times over: ``[month, sector, number]``."""
    seen = []
    for period in range(3):
        sheet = Sheet(cohort)
        cohort.post(period, sheet, published, regime())
        quantity, limit = sheet.bids["buyer"]
        fill = np.zeros_like(quantity)
        fill[:, 0] = 0.5 * quantity[:, 0]
        cohort.settle(fill.ravel())
        cohort.plan(published, regime())
        columns = (cohort.use_t, cohort.inventory_t, cohort.shortage_t, cohort.intensity_share)
        seen.append(np.concatenate([quantity, limit, np.stack(columns, axis=1)], axis=1))
    return np.array(seen)
