"""Known answers for the clearing, from textbooks and by hand."""

import numpy as np
import pytest

from rare_market.clearing import Quotas, book_layout, clear, clear_one

FREE = np.inf


def curve(first_usd, step_usd, steps, size_t=1.0):
    """A straight schedule in small steps, quoted at the middle of each."""
    limits = first_usd + step_usd * (np.arange(steps) + 0.5)
    return np.full(steps, size_t), limits


def test_dantzigs_canning_plants():
    """Dantzig (1963), chapter 3.3, as in GAMS' trnsport: cost 153.675 thousand dollars.

    Plants Seattle and San Diego; markets New York, Chicago and Topeka; freight 90 USD per case
    and thousand miles. Demand is a bid so high that it must be met.
    """
    miles = np.array([[2.5, 1.7, 1.8], [2.5, 1.8, 1.4]])
    cost = np.full((1, 5, 5), np.inf)
    cost[0, :2, 2:] = 90 * miles / 1000
    layout = book_layout([0, 0], [0, 1], [0, 0, 0], [2, 3, 4], 1, 5, 1)
    result = clear(
        layout, [350, 600], [0, 0], [325, 300, 275], [10, 10, 10], cost, np.full((1, 5, 5), FREE)
    )
    flow = result.flow_t[0]
    assert result.bid_fill_t.tolist() == [325, 300, 275]
    assert np.nansum(np.where(flow > 0, cost[0], 0) * flow) == pytest.approx(153.675, abs=1e-12)
    # the published marginals: San Diego has 50 cases left, so its netback is its ask, 0;
    # Chicago 0.153 from Seattle, New York 0.225, Topeka 0.126, at Seattle's netback of 0
    assert result.price_usd_per_kg[0, 2:].tolist() == [0.225, 0.153, 0.126]
    assert result.netback_usd_per_kg[0, :2].tolist() == [0, 0]


def test_arbitrage_between_two_places_leaves_the_cost_of_trade():
    asks, bids = ([0, 1], [10, 10], [20, 60]), ([0, 1], [5, 12], [100, 100])
    result = clear_one(*asks, *bids, [[0, 15], [15, 0]], np.full((2, 2), FREE))
    # 5 t stay, 5 t go; place 1 needs 7 t more of its own, so its ask sets both prices
    assert result.flow_t.tolist() == [[5, 5], [0, 7]]
    assert result.price_usd_per_kg.tolist() == [45, 60]


def test_autarky_within_the_cost_of_trade():
    asks, bids = ([0, 1], [10, 10], [50, 55]), ([0, 1], [5, 5], [80, 80])
    result = clear_one(*asks, *bids, [[0, 15], [15, 0]], np.full((2, 2), FREE))
    assert result.flow_t.tolist() == [[5, 0], [0, 5]]
    assert result.price_usd_per_kg.tolist() == [50, 55]


@pytest.mark.parametrize("tax_usd", [9.0, 3.0, 0.0])
def test_a_tariff_falls_on_the_less_elastic_side(tax_usd):
    """Straight curves: buyers bear s / (s + d) with slopes s of supply and d of demand.

    Supply p = 10 + q / 10, demand p = 70 - q / 5 (USD/kg, t): they meet at 30 and 200 t, and the
    demand curve is twice as steep, so buyers bear two thirds.
    """
    ask_t, ask = curve(10, 0.01, 4000, size_t=0.1)
    bid_t, bid = curve(70, -0.02, 3000, size_t=0.1)
    places = [np.zeros(len(ask), int), np.ones(len(bid), int)]
    cost = [[np.inf, tax_usd], [np.inf, np.inf]]
    result = clear_one(places[0], ask_t, ask, places[1], bid_t, bid, cost, np.full((2, 2), FREE))
    paid, kept = result.price_usd_per_kg[1], result.netback_usd_per_kg[0]
    assert paid - kept == pytest.approx(tax_usd, abs=1e-9)
    assert paid == pytest.approx(30 + tax_usd * 2 / 3, abs=0.03)
    assert kept == pytest.approx(30 - tax_usd / 3, abs=0.03)
    assert result.bid_fill_t.sum() == pytest.approx(200 - tax_usd / 0.3, abs=0.2)


def test_a_tariff_and_the_import_limit_of_equal_effect_leave_equal_prices():
    """Bhagwati (1965): what the state takes as duty, the holder of the limit takes as rent."""
    ask_t, ask = curve(10, 0.01, 4000, size_t=0.1)
    bid_t, bid = curve(70, -0.02, 3000, size_t=0.1)
    sellers, buyers = np.zeros(len(ask), int), np.ones(len(bid), int)
    lane = np.full((2, 2), np.inf)
    lane[0, 1] = 9.0
    tariff = clear_one(sellers, ask_t, ask, buyers, bid_t, bid, lane, np.full((2, 2), FREE))
    limit = np.full((2, 2), FREE)
    limit[0, 1] = tariff.flow_t[0, 1] - 0.05  # the middle of a step
    lane[0, 1] = 0.0
    quota = clear_one(sellers, ask_t, ask, buyers, bid_t, bid, lane, limit)
    assert quota.price_usd_per_kg[1] == pytest.approx(tariff.price_usd_per_kg[1], abs=0.05)
    assert quota.netback_usd_per_kg[0] == pytest.approx(tariff.netback_usd_per_kg[0], abs=0.05)
    assert quota.lane_rent_usd_per_kg[0, 1] == pytest.approx(9.0, abs=0.05)


def two_goods(quota_t, goods=(True, True)):
    """Place 0 exports two goods at 20 and 30; place 1 wants 10 t of each at falling bids."""
    bids = np.array([90, 70, 50, 80, 60, 40.0])
    layout = book_layout([0, 1], [0, 0], [0, 0, 0, 1, 1, 1], [1] * 6, 2, 2, 1)
    cost = np.full((2, 2, 2), np.inf)
    cost[:, 0, 1] = 5
    rule = Quotas(np.array([goods]), np.array([0]), np.array([-1]), np.array([quota_t]))
    wanted_t, free = [4, 3, 3, 4, 3, 3], np.full((2, 2, 2), FREE)
    return clear(layout, [50.0, 50], [20.0, 30], wanted_t, bids, cost, free, rule)


def test_a_quota_over_two_goods_has_one_rent():
    # worth per tonne: 65 45 25 (good 0) and 45 25 5 (good 1). 9 t: 4 t at 65, then 5 of the
    # 7 t worth 45, shared pro rata: 3 x 5/7 and 4 x 5/7.
    result = two_goods(9.0)
    assert result.quota_rent_usd_per_kg.tolist() == [45.0]
    assert result.price_usd_per_kg[:, 1].tolist() == [70.0, 80.0]
    assert result.bid_fill_t == pytest.approx([4, 15 / 7, 0, 20 / 7, 0, 0], abs=1e-9)
    margin = result.price_usd_per_kg[:, 1] - result.netback_usd_per_kg[:, 0] - 5
    assert margin.tolist() == [45.0, 45.0]


def test_a_quota_between_two_steps_has_the_middle_rent():
    result = two_goods(11.0)
    assert result.bid_fill_t.tolist() == [4, 3, 0, 4, 0, 0]
    assert result.quota_rent_usd_per_kg.tolist() == [35.0]


def test_a_slack_quota_has_no_rent_and_a_zero_quota_the_choking_one():
    assert two_goods(20.0).quota_rent_usd_per_kg.tolist() == [0.0]
    assert two_goods(0.0).quota_rent_usd_per_kg.tolist() == [65.0]
    assert two_goods(0.0).flow_t.sum() == 0


def test_a_quota_on_one_good_leaves_the_other_alone():
    result = two_goods(4.0, goods=(True, False))
    assert result.flow_t[:, 0, 1].tolist() == [4, 10]
    assert result.price_usd_per_kg[1, 1] == 35.0


def test_a_state_bid_for_domestic_goods_holds_the_floor():
    """A floor of 80 by a state that buys only at home: a buyer class without foreign lanes."""
    layout = book_layout([0, 0], [0, 1], [0, 0], [0, 1], 1, 2, 2)
    cost = np.full((1, 2, 4), np.inf)
    cost[0, 0, :2] = 0  # home producers sell to both classes at home
    cost[0, 1, 0] = 5  # foreigners only to private buyers at home
    result = clear(
        layout, [300.0, 2000], [70.0, 60], [500.0, 400], [90.0, 80], cost, np.full((1, 2, 4), FREE)
    )
    assert result.price_usd_per_kg[0, :2].tolist() == [65.0, 80.0]
    assert result.flow_t[0, :, :2].tolist() == [[0, 300], [500, 0]]


def test_a_quota_over_goods_of_very_different_price_goes_to_the_dear_one():
    """One rent per tonne: the licence for 10 t is worth 4,990 USD/kg, which the dear good pays.

    Ce-like oxide costs 0.5 and sells at 1, Tb-like oxide costs 10 and sells at 5,000 abroad.
    """
    layout = book_layout(
        np.array([0, 1]), np.array([0, 0]), np.array([0, 1]), np.array([1, 1]), 2, 2, 1
    )
    lanes = np.zeros((2, 2, 2))
    quota = Quotas(np.ones((1, 2), bool), np.array([0]), np.array([-1]), np.array([10.0]))
    result = clear(
        layout,
        np.array([100.0, 100.0]),
        np.array([0.5, 10.0]),
        np.array([100.0, 100.0]),
        np.array([1.0, 5000.0]),
        lanes,
        np.full(lanes.shape, np.inf),
        quota,
    )
    np.testing.assert_allclose(result.flow_t[:, 0, 1], [0.0, 10.0])
    np.testing.assert_allclose(result.quota_rent_usd_per_kg, [4990.0])
    assert not result.fallback.any()
