"""How large, how fine and how odd numbers may be, and what the certificate sees."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rare_market.clearing import Quotas, book_layout, clear, clear_one
from rare_market.clearing.problem import BOTTOM, TICKS_PER_USD, TOP
from tests.reference.plain_kernel import plain_clearing

FREE = [[np.inf]]


def quotas(goods, origins, tonnes):
    """Quotas over all goods, a row per origin (-1 for any), to any destination."""
    count = len(origins)
    return Quotas(
        np.ones((count, goods), dtype=bool), np.array(origins), np.full(count, -1), np.array(tonnes)
    )


@pytest.mark.parametrize(("places", "limit_t"), [(10, 1e9), (3, 3.9e9), (24, 4e8)])
def test_limits_far_above_all_that_is_traded_are_none(places, limit_t):
    """Hinted with its own prices every lane seems full; the sum of limits fits no word."""
    alone = np.zeros(places, dtype=int)
    layout = book_layout([0], [0], alone, np.arange(places), 1, places, 1)
    orders = ([100.0], [10.0], np.full(places, 5.0), np.full(places, 50.0))
    cost = np.ones((1, places, places))
    found = []
    for most_t in (limit_t, np.inf):
        hint = None
        for _ in range(3):
            found.append(clear(layout, *orders, cost, np.full_like(cost, most_t), None, hint))
            hint = found[-1].node_price_usd_per_kg
    for result in found[1:]:
        np.testing.assert_array_equal(result.flow_t, found[0].flow_t)
        np.testing.assert_array_equal(result.node_price_usd_per_kg, found[0].node_price_usd_per_kg)
        assert (result.lane_rent_usd_per_kg == 0.0).all()


@given(one_t=st.integers(1, 10**9), other_t=st.integers(1, 10**9))
def test_whole_tonnes_balance(one_t, other_t):
    """Two asks meet one bid for both: any price from the dearer ask to the bid will do."""
    orders = [0, 0], [float(one_t), float(other_t)], [10.0, 20.0], [0], [float(one_t + other_t)]
    assert clear_one(*orders, [50.0], [[0.0]], FREE).price_usd_per_kg[0] == 35.0


@given(one=st.integers(1, 10**9), other=st.integers(1, 10**9))
def test_grams_balance(one, other):
    """Likewise where quantities are no whole numbers, and their sum is rounded."""
    orders = [0, 0], [one / 1e6, other / 1e6], [10.0, 20.0], [0], [(one + other) / 1e6]
    assert clear_one(*orders, [50.0], [[0.0]], FREE).price_usd_per_kg[0] == 35.0


@given(limit_mg=st.integers(1, 10**15))
def test_a_lane_just_wide_enough_carries_all(limit_mg):
    """As much is wanted as the lane takes, in whole lots; more is offered."""
    most_t = limit_mg / 1e9
    result = clear_one([0], [2 * most_t], [10.0], [0], [most_t], [50.0], [[0.0]], [[most_t]])
    assert result.flow_t[0, 0] == result.bid_fill_t[0] == pytest.approx(most_t, rel=1e-15)


def test_no_more_than_four_billion_tonnes_of_a_good():
    orders = ([0, 0], [2e9, 1.9e9], [10.0, 20.0], [0], [3e9], [50.0], [[0.0]], FREE)
    assert clear_one(*orders).price_usd_per_kg[0] == 20.0
    with pytest.raises(ValueError, match="must sum to less than 4e9 t"):
        clear_one([0, 0], [2e9, 2.1e9], *orders[2:])


def test_a_limit_without_end_counts_as_a_million():
    """Three tonnes offered, five wanted at any price."""
    result = clear_one([0], [3.0], [10.0], [0], [5.0], [np.inf], [[0.0]], FREE)
    assert result.price_usd_per_kg[0] == 1e6


def test_between_equal_lanes_a_tie_goes_to_the_domestic_one():
    """Whatever the places are called."""
    for keys in permutations((3, 8, 21, 34), 3):
        three = np.arange(3)
        layout = book_layout(three * 0, three, three * 0, three, 1, 3, 1, np.array(keys))
        asks, bids = (np.full(3, 10.0), np.full(3, 10.0)), (np.full(3, 10.0), np.full(3, 50.0))
        none = np.zeros((1, 3, 3))
        flow_t = clear(layout, *asks, *bids, none, none + np.inf).flow_t[0]
        np.testing.assert_array_equal(flow_t, np.diag(np.full(3, 10.0)))


def test_of_several_orders_at_the_limit_that_sets_the_price_the_first_is_named():
    """Eleven equal asks share; the cheaper one before them is used up."""
    layout = book_layout(np.zeros(12, int), np.zeros(12, int), [0], [0], 1, 1, 1)
    limits = np.array([5.0, *[10.0] * 11])
    cost = np.zeros((1, 1, 1))
    result = clear(layout, np.ones(12), limits, [4.0], [50.0], cost, cost + np.inf)
    assert result.marginal_ask.tolist() == [[1, 1]]
    np.testing.assert_allclose(result.ask_fill_t, [1.0, *[3 / 11] * 11])


# -- quotas ------------------------------------------------------------------------------------


def two_origins():
    """Places 0 and 1 sell to place 2; place 1 also has a buyer of its own."""
    layout = book_layout([0, 0], [0, 1], [0, 0, 0], [2, 2, 1], 1, 3, 1)
    cost = np.full((1, 3, 3), np.inf)
    cost[0, 0, 2] = cost[0, 1, 1] = 1.0
    cost[0, 1, 2] = 100.0
    orders = ([5.0, 1.0], [10.0, 10.0], [3.0, 3.0, 1.0], [50.0, 30.0, 45.0])
    return layout, *orders, cost, np.full_like(cost, np.inf)


@pytest.mark.parametrize(
    ("origins", "tonnes"),
    [([0, 1], [3.0, 3.0]), ([1, 0], [3.0, 3.0]), ([0, 0], [3.0, 3.0]), ([0, 0], [9.0, 3.0])],
)
def test_a_quota_that_is_not_used_up_or_said_twice_moves_no_price(origins, tonnes):
    market = two_origins()
    alone = clear(*market, quotas(1, [0], [3.0]))
    both = clear(*market, quotas(1, origins, tonnes))
    assert alone.quota_rent_usd_per_kg.tolist() == [29.0]
    assert both.quota_rent_usd_per_kg.sum() == 29.0
    np.testing.assert_array_equal(both.node_price_usd_per_kg, alone.node_price_usd_per_kg)
    np.testing.assert_array_equal(both.flow_t, alone.flow_t)


def exporters(goods, tonnes):
    """As many goods, each offered in place 0 and wanted in place 1."""
    good, zero = np.arange(goods), np.zeros(goods, dtype=int)
    layout = book_layout(good, zero, good, zero + 1, goods, 2, 1)
    same = np.full(goods, tonnes)
    cost = np.ones((goods, 2, 2))
    orders = (same, np.full(goods, 10.0), same, np.full(goods, 50.0))
    return layout, *orders, cost, np.full_like(cost, np.inf)


def test_a_quota_without_end_binds_nothing_however_much_is_traded():
    market = exporters(2, 3e9)
    result = clear(*market, quotas(2, [0], [np.inf]))
    assert result.quota_rent_usd_per_kg.tolist() == [0.0]
    assert result.flow_t.sum() == 6e9


def test_a_quota_of_more_than_four_billion_tonnes_is_kept():
    result = clear(*exporters(2, 3e9), quotas(2, [0], [5e9]))
    assert result.flow_t.sum() == pytest.approx(5e9, rel=1e-12)
    assert result.quota_rent_usd_per_kg[0] > 0.0


def test_goods_under_one_quota_trade_less_than_nine_billion_tonnes():
    with pytest.raises(ValueError, match="must trade less than 9e9 t together"):
        clear(*exporters(3, 3.9e9), quotas(3, [0], [3e9]))


@pytest.mark.parametrize("origin", [3, -2, 0.5])
def test_a_quota_names_places_that_there_are(origin):
    with pytest.raises(ValueError, match="quota_origin must be codes from 0 to 2, or -1"):
        clear(*two_origins(), quotas(1, [origin], [3.0]))


def test_a_quota_over_no_goods_has_no_rent():
    none = np.zeros(0, dtype=int)
    layout = book_layout(none, none, none, none, 0, 2, 1)
    nothing = np.zeros((0, 2, 2))
    result = clear(layout, *[np.zeros(0)] * 4, nothing, nothing, quotas(0, [0], [3.0]))
    assert result.quota_rent_usd_per_kg.tolist() == [0.0]


def test_any_nonsense_is_a_hint_where_a_quota_binds():
    expected = clear(*two_origins(), quotas(1, [0], [3.0]))
    hint = np.array([[1e308, -1e308, 1e308, -1e308, 1e308, np.nan]])
    found = clear(*two_origins(), quotas(1, [0], [3.0]), hint)
    assert found.answer.tobytes() == expected.answer.tobytes()


@pytest.mark.parametrize("keys", [np.arange(3), np.arange(1), np.zeros(2, int), np.ones(2) / 2])
def test_every_place_has_a_key_of_its_own(keys):
    with pytest.raises(ValueError, match="place_key must be 2 different whole numbers"):
        book_layout([0], [0], [0], [1], 1, 2, 1, keys)


# -- the certificate, of results that are wrong --------------------------------------------------


@pytest.fixture(scope="module")
def plain():
    return plain_clearing()


def one_trade(kernel):
    """Six of ten tonnes offered at 10 are sold, at 10; the buyer would pay 50."""
    layout = kernel.book_layout([0], [0], [0], [0], 1, 1, 1)
    cost = np.zeros((1, 1, 1))
    with np.errstate(all="ignore"):
        return kernel.clear(layout, [10.0], [10.0], [6.0], [50.0], cost, cost + np.inf)


def test_a_right_result_has_a_certificate_of_zeros(plain):
    assert (one_trade(plain).certificate == 0.0).all()


@pytest.mark.parametrize(("wrong_usd_per_kg", "violation_usd"), [(1.0, 1000.0), (-1.0, 6000.0)])
def test_the_certificate_sees_a_price_that_is_wrong(
    wrong_usd_per_kg, violation_usd, plain, monkeypatch
):
    """The seller gets 10 and the lane is free.

    A buyer who pays 11 leaves a gain of 1000 USD on every further tonne; one who pays 9 lets six
    tonnes be traded at a loss.
    """
    names = plain.clear_goods.__globals__
    narrow = names["narrow_prices"]

    def shifted(carried, good, tables):
        narrow(carried, good, tables)
        for row in (BOTTOM, TOP):
            tables.node[row, 1] += int(wrong_usd_per_kg * TICKS_PER_USD)

    monkeypatch.setitem(names, "narrow_prices", shifted)
    result = one_trade(plain)
    assert result.price_usd_per_kg.tolist() == [[10.0 + wrong_usd_per_kg]]
    assert result.slackness_violation_usd.tolist() == [violation_usd]
    assert result.gap_relative[0] == pytest.approx(6.0 / (50.0 * 16.0))
    assert result.excess_demand_t.tolist() == [0.0]


def test_the_certificate_sees_a_flow_that_is_missing(plain, monkeypatch):
    """Six tonnes are sold and bought, and carried by no lane."""
    names = plain.clear_goods.__globals__
    list_trade = names["list_trade"]
    monkeypatch.setitem(names, "list_trade", lambda *given: list_trade(*given) - 1)
    assert one_trade(plain).excess_demand_t.tolist() == [6.0]
