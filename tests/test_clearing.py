"""The clearing's contract at its edges: statuses, errors, residues, ties, certificate."""

import doctest

import numpy as np
import pytest

import rare_market.clearing as kernel
from rare_market.clearing import (
    CLEARED,
    DEMAND_SHORT,
    NO_TRADE,
    SUPPLY_SHORT,
    Quotas,
    book_layout,
    clear,
    clear_one,
)
from tests.benchmarks.bench_clearing import GOODS, draw_series, moves, price_setters
from tests.check_clearing import KINDS, market_faults, run, same_bits, sample_market
from tests.reference.highs import quiet_solver

FREE = np.inf


def one_place(ask_quantity_t, ask_limit, bid_quantity_t, bid_limit):
    """One place with a free domestic lane."""
    asks, bids = np.zeros(len(ask_limit), dtype=int), np.zeros(len(bid_limit), dtype=int)
    return clear_one(
        asks, ask_quantity_t, ask_limit, bids, bid_quantity_t, bid_limit, [[0.0]], [[FREE]]
    )


def test_the_docstring_examples_are_true():
    assert doctest.testmod(kernel).failed == 0


@pytest.mark.parametrize("kind", KINDS)
def test_generated_markets_of_every_kind_pass_every_check(kind):
    number = KINDS.index(kind)
    solver = quiet_solver()
    for turn in range(12):
        rng = np.random.default_rng([2, number, turn])
        market = sample_market(rng, kind)
        small = turn < 2 and len(market.bid_good) <= 30
        assert market_faults(market, kind, rng, solver, reference=small) == []


def test_the_checker_counts_no_fault():
    assert not run(18, seed=3, reference_every=50)


def test_one_place_is_the_merit_order():
    result = one_place([10, 10, 10], [20, 30, 40], [15, 10, 10], [50, 35, 25])
    assert result.price_usd_per_kg.tolist() == [35.0]  # the bid at 35 is served in part
    assert result.ask_fill_t.tolist() == [10, 10, 0]
    assert result.bid_fill_t.tolist() == [15, 5, 0]
    result = one_place([10, 10, 10], [20, 30, 40], [15, 5, 10], [50, 35, 25])
    assert [result.price_low_usd_per_kg[0], result.price_high_usd_per_kg[0]] == [30.0, 35.0]
    assert result.price_usd_per_kg.tolist() == [32.5]


def test_equal_bids_share_pro_rata():
    result = one_place([6], [10], [3, 6, 9], [20, 20, 20])
    assert result.bid_fill_t == pytest.approx([1, 2, 3], abs=1e-12)
    assert result.price_usd_per_kg.tolist() == [20.0]


def test_a_residue_does_not_set_the_price():
    clean = one_place([5], [10], [5, 5], [40, 30])
    dirty = one_place([5, 1e-14], [10, 39], [5, 5, 1e-14], [40, 30, 36])
    assert clean.price_usd_per_kg == dirty.price_usd_per_kg == [35.0]


def test_decimal_quantities_balance_exactly():
    result = one_place([0.1, 0.2], [10, 20], [0.3], [30])
    assert result.price_usd_per_kg.tolist() == [25.0]  # exhausted on both sides: the middle
    assert result.ask_fill_t.tolist() == [0.1, 0.2]


def test_a_one_sided_book_is_quoted_and_flagged():
    # place 0 only sells, place 1 only buys, place 2 buys but no lane reaches it
    inf = FREE
    cost = [[0, inf, inf], [inf, 0, inf], [inf, inf, inf]]
    result = clear_one([0], [5], [20], [1, 2], [5, 5], [50, 70], cost, np.full((3, 3), inf))
    assert result.status.tolist() == [DEMAND_SHORT, SUPPLY_SHORT, SUPPLY_SHORT]
    assert result.price_usd_per_kg.tolist() == [20.0, 50.0, 70.0]
    assert result.price_high_usd_per_kg[2] == inf
    assert result.flow_t.sum() == 0


def test_no_trade_and_an_empty_place():
    inf = FREE
    cost = [[0, inf], [inf, 0]]
    result = clear_one([0], [5], [60], [0], [5], [50], cost, np.full((2, 2), inf))
    assert result.status.tolist() == [NO_TRADE, NO_TRADE]
    assert result.price_usd_per_kg[0] == 55.0
    assert np.isnan(result.price_usd_per_kg[1])


def test_rationing_at_the_highest_bid_is_supply_short():
    result = one_place([5], [10], [8], [90])
    assert result.status.tolist() == [SUPPLY_SHORT]
    assert result.price_usd_per_kg.tolist() == [90.0]
    assert one_place([9], [10], [8], [90]).status.tolist() == [CLEARED]


def test_no_orders_at_all():
    result = one_place([], [], [], [])
    assert result.status.tolist() == [NO_TRADE]
    assert np.isnan(result.price_usd_per_kg[0])


def test_disposal_at_negative_prices():
    result = one_place([5, 5], [-30, 10], [8], [-20])
    assert result.ask_fill_t.tolist() == [5, 0]
    assert result.price_usd_per_kg.tolist() == [-20.0]


def test_market_orders_at_infinite_limits():
    result = one_place([5, 5], [-np.inf, 10], [8], [np.inf])
    assert result.ask_fill_t.tolist() == [5, 3]
    assert result.price_usd_per_kg.tolist() == [10.0]


def test_the_marginal_order_is_named_where_its_price_rules():
    result = clear(
        book_layout([0, 0], [0, 1], [0, 0], [0, 1], 1, 2, 1),
        *([8.0, 5.0], [20.0, 60.0], [3.0, 9.0], [100.0, 100.0]),
        *(np.array([[[0, 10.0], [10.0, 0]]]), np.full((1, 2, 2), FREE)),
    )
    assert result.marginal_ask.tolist() == [[1, 1, 1, 1]]
    assert result.marginal_bid.tolist() == [[-1, -1, -1, -1]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ask_quantity_t", [-1.0]),
        ("ask_quantity_t", [np.nan]),
        ("ask_quantity_t", [np.inf]),
        ("ask_limit_usd_per_kg", [np.nan]),
        ("bid_quantity_t", [-1e-9]),
        ("bid_quantity_t", [np.nan]),
        ("bid_limit_usd_per_kg", [np.nan]),
        ("trade_cost_usd_per_kg", [[np.nan]]),
        ("trade_cost_usd_per_kg", [[-np.inf]]),
        ("flow_limit_t", [[-1.0]]),
        ("flow_limit_t", [[np.nan]]),
        ("ask_quantity_t", [1.0, 2.0]),
        ("ask_place", [1]),
    ],
)
def test_bad_input_is_refused_in_one_sentence_that_names_it(name, value):
    market = {
        "ask_place": [0],
        "ask_quantity_t": [1.0],
        "ask_limit_usd_per_kg": [1.0],
        "bid_place": [0],
        "bid_quantity_t": [1.0],
        "bid_limit_usd_per_kg": [1.0],
        "trade_cost_usd_per_kg": [[0.0]],
        "flow_limit_t": [[np.inf]],
    }
    named = {"trade_cost_usd_per_kg": "lane_cost_usd_per_kg", "flow_limit_t": "lane_limit_t"}
    if name == "trade_cost_usd_per_kg" and np.shape(value) != (1, 1):
        named = {}
    with pytest.raises(ValueError, match=named.get(name, name)):
        clear_one(**(market | {name: value}))


def test_bad_quotas_are_refused():
    layout = book_layout([0], [0], [0], [0], 1, 1, 1)
    lanes = np.zeros((1, 1, 1))
    quotas = Quotas(np.ones((1, 1), bool), np.array([0]), np.array([-1]), np.array([np.nan]))
    with pytest.raises(ValueError, match="quota_t"):
        clear(layout, [1.0], [1.0], [1.0], [1.0], lanes, lanes, quotas)
    with pytest.raises(ValueError, match="quotas"):
        clear(
            layout, [1.0], [1.0], [1.0], [1.0], lanes, lanes,
            quotas._replace(quota_goods=np.ones((1, 2), bool)),
        )  # fmt: skip


def test_the_fallback_gives_the_same_bits(monkeypatch):
    for number in range(40):
        rng = np.random.default_rng([4, number])
        market = sample_market(rng, KINDS[number % len(KINDS)])
        fast = market.clear()
        monkeypatch.setattr(kernel, "PIVOT_LIMIT", 0)
        slow = market.clear()
        monkeypatch.undo()
        assert slow.fallback.all()
        assert not fast.fallback.any()
        assert same_bits(fast, slow, skip=("certificate",)) == []
        assert np.array_equal(fast.certificate[:3], slow.certificate[:3])


@pytest.mark.parametrize("places", [6, 24])
def test_from_its_own_prices_the_search_moves_once_for_every_order_that_sets_prices(places):
    """The start finds the lanes in use; only which order sets a tree's prices is left to find."""
    series = draw_series(places, 100, 1)
    for good in range(GOODS):
        market = series.market(0, good)
        found = market.clear()
        assert moves(market, found.node_price_usd_per_kg) == price_setters(found)
