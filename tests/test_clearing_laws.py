"""Laws of the clearing on generated markets."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rare_market.clearing import Quotas, book_layout, clear, no_quotas
from tests import laws
from tests.check_clearing import (
    market_faults,
    optimality_faults,
    permuted,
    quiet_solver,
    quota_use,
    reference_faults,
    same_bits,
    sample_market,
    welfare,
)
from tests.reference.highs import clear_highs
from tests.strategies import markets

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
numbers = st.integers(0, 2**32 - 1)


def money(market, result):
    """What buyers pay, what sellers get, and what trade costs, at the published prices."""
    price = np.nan_to_num(result.price_usd_per_kg[market.bid_good, market.bid_node])
    netback = np.nan_to_num(result.netback_usd_per_kg[market.ask_good, market.ask_place])
    cost = np.where(result.flow_t > 0, market.lane_cost_usd_per_kg, 0.0)
    return (
        float(price @ result.bid_fill_t),
        float(netback @ result.ask_fill_t),
        float((cost * result.flow_t).sum()),
    )


@few
@given(markets())
def test_the_result_is_optimal_and_equals_highs_and_the_reference(market):
    result = market.clear()
    assert optimality_faults(market, result) == []
    assert reference_faults(market, result) == []
    assert welfare(market, result) == pytest.approx(clear_highs(market).welfare, abs=1e-9)
    assert not result.gap_relative.any()
    assert not result.excess_demand_t.any()
    assert not result.slackness_violation_usd.any()


@few
@given(markets(max_goods=3, quotas=True))
def test_quotas_over_goods_equal_the_joint_programme(market):
    result = market.clear()
    assert optimality_faults(market, result) == []
    assert welfare(market, result) == pytest.approx(clear_highs(market).welfare, abs=1e-7)


@few
@given(markets(max_goods=3, quotas=True), st.floats(1.001, 3.0))
def test_a_slack_quota_changes_nothing(market, factor):
    free = market._replace(quotas=no_quotas(market.goods)).clear()
    slack = quota_use(market, free.flow_t) * factor + 0.5
    result = market._replace(quotas=market.quotas._replace(quota_t=slack)).clear()
    assert not result.quota_rent_usd_per_kg.any()
    assert same_bits(free, result, skip=("quota_rent_usd_per_kg",)) == []


@few
@given(markets(), numbers)
def test_hints_and_the_order_of_orders_change_no_bit(market, seed):
    rng = np.random.default_rng(seed)
    result = market.clear()
    shape = result.node_price_usd_per_kg.shape
    hint = rng.choice([np.nan, np.inf, -1e300, 0.0, 3.0, 1e9], shape)
    assert same_bits(result, market.clear(hint)) == []
    assert same_bits(result, market.clear(result.node_price_usd_per_kg)) == []
    ask, bid = rng.permutation(len(market.ask_good)), rng.permutation(len(market.bid_good))
    assert same_bits(result, permuted(market, ask, bid).clear(), ask, bid) == []


@few
@given(markets(max_goods=3, quotas=True), numbers)
def test_nodes_without_orders_are_like_nodes_with_orders_of_nothing(market, seed):
    """To the bit: the clearing leaves out the former and goes through the latter."""
    rng = np.random.default_rng(seed)
    nodes = market.places * market.buyer_classes
    asks, bids = len(market.ask_good), len(market.bid_good)
    good, place = np.divmod(np.arange(market.goods * market.places), market.places)
    bid_good, node = np.divmod(np.arange(market.goods * nodes), nodes)
    full = market._replace(
        ask_good=np.append(market.ask_good, good),
        ask_place=np.append(market.ask_place, place),
        ask_quantity_t=np.append(market.ask_quantity_t, np.zeros(len(good))),
        ask_limit_usd_per_kg=np.append(market.ask_limit_usd_per_kg, rng.normal(size=len(good))),
        bid_good=np.append(market.bid_good, bid_good),
        bid_node=np.append(market.bid_node, node),
        bid_quantity_t=np.append(market.bid_quantity_t, np.zeros(len(node))),
        bid_limit_usd_per_kg=np.append(market.bid_limit_usd_per_kg, rng.normal(size=len(node))),
    )
    result, padded = market.clear(), full.clear()
    assert same_bits(result, padded, skip=("ask_fill_t", "bid_fill_t")) == []
    np.testing.assert_array_equal(result.ask_fill_t, padded.ask_fill_t[:asks])
    np.testing.assert_array_equal(result.bid_fill_t, padded.bid_fill_t[:bids])
    assert not padded.ask_fill_t[asks:].any()
    assert not padded.bid_fill_t[bids:].any()


@few
@given(markets(max_goods=1), numbers)
def test_more_supply_lowers_and_more_demand_raises_every_price(market, seed):
    rng = np.random.default_rng(seed)
    low, high = laws.interval(market.clear())
    value = welfare(market, market.clear())
    more = market._replace(
        ask_good=np.append(market.ask_good, 0),
        ask_place=np.append(market.ask_place, rng.integers(market.places)),
        ask_quantity_t=np.append(market.ask_quantity_t, rng.integers(1, 8) / 4),
        ask_limit_usd_per_kg=np.append(market.ask_limit_usd_per_kg, rng.integers(-8, 40) / 2),
    )
    new_low, new_high = laws.interval(more.clear())
    assert (new_low <= low).all()
    assert (new_high <= high).all()
    assert welfare(more, more.clear()) >= value - 1e-9
    node = rng.integers(market.places * market.buyer_classes)
    more = market._replace(
        bid_good=np.append(market.bid_good, 0),
        bid_node=np.append(market.bid_node, node),
        bid_quantity_t=np.append(market.bid_quantity_t, rng.integers(1, 8) / 4),
        bid_limit_usd_per_kg=np.append(market.bid_limit_usd_per_kg, rng.integers(-8, 40) / 2),
    )
    new_low, new_high = laws.interval(more.clear())
    assert (new_low >= low).all()
    assert (new_high >= high).all()


@few
@given(markets(), numbers)
def test_dearer_or_tighter_lanes_lower_welfare(market, seed):
    rng = np.random.default_rng(seed)
    value = welfare(market, market.clear())
    shape = market.lane_cost_usd_per_kg.shape
    dearer = market._replace(
        lane_cost_usd_per_kg=market.lane_cost_usd_per_kg + rng.integers(0, 4, shape) / 2
    )
    assert welfare(dearer, dearer.clear()) <= value + 1e-9
    tighter = market._replace(
        lane_limit_t=np.minimum(market.lane_limit_t, rng.integers(0, 12, shape) / 4)
    )
    assert welfare(tighter, tighter.clear()) <= value + 1e-9


@few
@given(markets())
def test_an_order_outside_its_interval_changes_nothing(market):
    result = market.clear()
    low, _ = laws.interval(result)
    idle = low[:, : market.places]
    good, place = 0, 0
    if not np.isfinite(idle[good, place]):
        return
    _, high = laws.interval(result)
    if not np.isfinite(high[good, place]):
        return
    more = market._replace(
        ask_good=np.append(market.ask_good, good),
        ask_place=np.append(market.ask_place, place),
        ask_quantity_t=np.append(market.ask_quantity_t, 2.0),
        ask_limit_usd_per_kg=np.append(market.ask_limit_usd_per_kg, high[good, place] + 1.0),
    ).clear()
    for new, old in zip(laws.interval(more), laws.interval(result), strict=True):
        assert np.array_equal(new, old)
    assert np.array_equal(more.flow_t, result.flow_t)
    assert more.ask_fill_t[-1] == 0


@few
@given(markets())
def test_prices_and_quantities_scale(market):
    result = market.clear()
    dear = market._replace(
        ask_limit_usd_per_kg=4 * market.ask_limit_usd_per_kg,
        bid_limit_usd_per_kg=4 * market.bid_limit_usd_per_kg,
        lane_cost_usd_per_kg=4 * market.lane_cost_usd_per_kg,
    ).clear()
    large = market._replace(
        ask_quantity_t=8 * market.ask_quantity_t,
        bid_quantity_t=8 * market.bid_quantity_t,
        lane_limit_t=8 * market.lane_limit_t,
    ).clear()
    for new, old in zip(laws.interval(dear), laws.interval(result), strict=True):
        assert np.array_equal(new, 4 * old)
    for new, old in zip(laws.interval(large), laws.interval(result), strict=True):
        assert np.array_equal(new, old)
    assert large.flow_t == pytest.approx(8 * result.flow_t, abs=1e-9)


@few
@given(markets())
def test_what_buyers_pay_is_what_sellers_get_plus_costs_and_rents(market):
    result = market.clear()
    paid, received, cost = money(market, result)
    rents = float((result.lane_rent_usd_per_kg * result.flow_t).sum())
    assert paid == pytest.approx(received + cost + rents, abs=1e-9)


@few
@given(markets())
def test_splitting_an_order_in_halves_changes_no_price(market):
    if not len(market.bid_good):
        return
    half = market.bid_quantity_t.copy()
    half[0] /= 2
    split = market._replace(
        bid_good=np.append(market.bid_good, market.bid_good[0]),
        bid_node=np.append(market.bid_node, market.bid_node[0]),
        bid_quantity_t=np.append(half, half[0]),
        bid_limit_usd_per_kg=np.append(market.bid_limit_usd_per_kg, market.bid_limit_usd_per_kg[0]),
    ).clear()
    result = market.clear()
    for new, old in zip(laws.interval(split), laws.interval(result), strict=True):
        assert np.array_equal(new, old)
    assert split.bid_fill_t[0] == split.bid_fill_t[-1]
    assert 2 * split.bid_fill_t[0] == pytest.approx(result.bid_fill_t[0], abs=1e-12)


@few
@given(markets(max_goods=3))
def test_goods_clear_as_if_alone(market):
    together = market.clear()
    for good in range(market.goods):
        ask, bid = market.ask_good == good, market.bid_good == good
        alone = market._replace(
            goods=1,
            ask_good=np.zeros(ask.sum(), dtype=int),
            ask_place=market.ask_place[ask],
            ask_quantity_t=market.ask_quantity_t[ask],
            ask_limit_usd_per_kg=market.ask_limit_usd_per_kg[ask],
            bid_good=np.zeros(bid.sum(), dtype=int),
            bid_node=market.bid_node[bid],
            bid_quantity_t=market.bid_quantity_t[bid],
            bid_limit_usd_per_kg=market.bid_limit_usd_per_kg[bid],
            lane_cost_usd_per_kg=market.lane_cost_usd_per_kg[good : good + 1],
            lane_limit_t=market.lane_limit_t[good : good + 1],
            quotas=no_quotas(1),
        ).clear()
        assert np.array_equal(alone.flow_t[0], together.flow_t[good])
        assert np.array_equal(
            alone.node_price_usd_per_kg[0], together.node_price_usd_per_kg[good], equal_nan=True
        )


@few
@given(markets(max_goods=1, max_places=3))
def test_a_lane_rent_is_worth_one_more_tonne_of_room(market):
    result = market.clear()
    rented = np.argwhere(result.lane_rent_usd_per_kg > 0)
    if not len(rented):
        return
    lane = tuple(rented[0])
    step_t = 2.0**-10
    value = welfare(market, result)
    changes = []
    for sign in (1, -1):
        limit = market.lane_limit_t.copy()
        limit[lane] += sign * step_t
        if limit[lane] < 0:
            return
        other = market._replace(lane_limit_t=limit)
        changes.append(sign * (welfare(other, other.clear()) - value) / step_t)
    assert changes[0] - 1e-6 <= result.lane_rent_usd_per_kg[lane] <= changes[1] + 1e-6


@few
@given(markets(max_goods=3, max_places=3), st.integers(0, 8))
def test_a_quota_rent_is_worth_one_more_tonne_of_quota(market, quarters):
    def with_quota(quota_t):
        rule = Quotas(
            np.ones((1, market.goods), bool), np.array([0]), np.array([-1]), np.array([quota_t])
        )
        limited = market._replace(quotas=rule)
        return limited, limited.clear()

    quota_t, step_t = quarters / 4 + 0.125, 2.0**-10
    (_, result), value = with_quota(quota_t), welfare(*with_quota(quota_t))
    gain = (welfare(*with_quota(quota_t + step_t)) - value) / step_t
    loss = (value - welfare(*with_quota(quota_t - step_t))) / step_t
    assert gain - 1e-6 <= result.quota_rent_usd_per_kg[0] <= loss + 1e-6


@few
@given(markets(max_goods=1), numbers)
def test_a_tighter_lane_raises_the_price_at_its_head_and_lowers_it_at_its_tail(market, seed):
    rng = np.random.default_rng(seed)
    origin, node = rng.integers(market.places), rng.integers(market.places * market.buyer_classes)
    limit = market.lane_limit_t.copy()
    limit[0, origin, node] = min(limit[0, origin, node], rng.integers(0, 12) / 4)
    loose, tight = market.clear(), market._replace(lane_limit_t=limit).clear()
    for old, new in zip(laws.interval(loose), laws.interval(tight), strict=True):
        assert new[0, market.places + node] >= old[0, market.places + node]
        assert new[0, origin] <= old[0, origin]


@few
@given(markets(), st.integers(-400, 400))
def test_a_uniform_shift_of_all_limits_shifts_all_prices(market, quarters):
    assert laws.a_uniform_shift_moves_prices_only(market, market.clear(), quarters / 4) == []


@few
@given(markets(), numbers)
def test_places_without_lanes_between_them_clear_apart(market, seed):
    split = np.random.default_rng(seed).random(market.places) < 0.5
    assert laws.places_without_lanes_clear_apart(market, split) == []


@few
@given(markets())
def test_an_offtake_between_two_that_would_trade_anyway_changes_no_price(market):
    result = market.clear()
    assert laws.everything_is_finite_or_flagged(market, result) == []
    assert laws.delivery_before_the_market_changes_no_price(market, result) == []


@few
@given(markets(), numbers, st.integers(0, 40), st.integers(1, 20))
def test_a_state_buying_at_home_at_a_floor_holds_the_floor(market, seed, floor, quarters):
    place = int(np.random.default_rng(seed).integers(market.places))
    assert laws.a_domestic_bid_holds_the_floor(market, place, floor / 2, quarters / 4) == []


@few
@given(markets(max_goods=1, max_places=1, buyer_classes=1))
def test_one_place_is_the_merit_order(market):
    free = market._replace(
        lane_cost_usd_per_kg=np.zeros((1, 1, 1)), lane_limit_t=np.full((1, 1, 1), np.inf)
    )
    assert laws.one_place_is_the_merit_order(free, free.clear()) == []


@few
@given(markets(max_goods=3, quotas=True))
def test_the_gap_is_dual_less_primal_value(market):
    """Recomputed in floating point from what is published, also where rents were rounded."""
    result = market.clear()
    if np.isnan(result.node_price_usd_per_kg).any():
        return
    netback = result.netback_usd_per_kg[market.ask_good, market.ask_place]
    price = result.price_usd_per_kg[market.bid_good, market.bid_node]
    limit = np.where(np.isfinite(market.lane_limit_t), market.lane_limit_t, 0.0)
    dual = (
        np.maximum(netback - market.ask_limit_usd_per_kg, 0) @ market.ask_quantity_t
        + np.maximum(market.bid_limit_usd_per_kg - price, 0) @ market.bid_quantity_t
        + (result.lane_rent_usd_per_kg * limit).sum()
        + result.quota_rent_usd_per_kg @ market.quotas.quota_t
    )
    assert dual == pytest.approx(welfare(market, result), abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "seed", "number"),
    [
        # three quotas over one good: prices at the rounded rents cannot all meet round a ring
        ("quota", 1, 41624),
        # a rounded rent leaves the landed price above what bounds the buyers' price
        ("quota", 8, 12359),
        # costs tie, and so do the leading bits of the lanes' tie weights
        ("lanes", 1, 19781),
        ("lanes", 1, 21741),
        # a limited lane at its limit or empty ties with another way
        ("full", 5, 1765),
    ],
)
def test_rare_markets_pass_every_check(kind, seed, number):
    chance = np.random.default_rng([seed, number])
    market = sample_market(chance, kind)
    assert market_faults(market, kind, chance, quiet_solver(), reference=False) == []


def test_a_second_tie_does_not_depend_on_the_numbering():
    # equal offers, and a bid so high that few bits of the lanes' tie weights fit: those of the two
    # foreign lanes are the same for these keys
    keys, free = np.array([2510, 2511, 10_000]), np.full((1, 3, 3), np.inf)
    cost = np.where(np.eye(3), np.inf, 2.0)[None]
    flow_t = []
    for old in ([0, 1, 2], [1, 0, 2]):
        layout = book_layout([0, 0], [0, 1], [0], [2], 1, 3, 1, keys[old])
        result = clear(layout, [5.0, 5.0], [10.0, 10.0], [5.0], [1e6], cost, free)
        flow_t.append(result.flow_t[0, old, 2].tolist())
    assert flow_t[0] == flow_t[1]
