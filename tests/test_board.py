"""The price board carries what a market did not renew, and remembers trends."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from rare_market.board import PriceBoard
from rare_market.clearing import DEMAND_SHORT, SUPPLY_SHORT, book_layout, clear


def board(price=10.0, trend_months=1.0, expectation_months=2.0):
    start = np.full((1, 1, 1), price)
    return PriceBoard(start, start[:, :, 0].copy(), trend_months, expectation_months, 0.02)


def outcome(price, netback):
    prices = {f"price{end}_usd_per_kg": np.array([[price]]) for end in ("", "_low", "_high")}
    netbacks = {f"netback{end}_usd_per_kg": np.array([[netback]]) for end in ("", "_low", "_high")}
    return SimpleNamespace(**prices, **netbacks)


def test_a_market_without_a_price_carries_its_last_a_month_older():
    b = board()
    b.learn(outcome(12.0, 11.0))
    b.learn(outcome(np.nan, np.nan))
    b.learn(outcome(np.nan, np.nan))
    assert b.price_usd_per_kg.item() == 12.0
    assert b.netback_usd_per_kg.item() == 11.0
    assert b.age_months.item() == 2


@pytest.mark.parametrize(
    ("asks", "bids", "status"), [([11.0], [], DEMAND_SHORT), ([], [15.0], SUPPLY_SHORT)]
)
def test_a_one_sided_book_carries_the_last_price_with_its_age(asks, bids, status):
    """Only asks, or only bids: a status, a bound, but no price of the month."""
    layout = book_layout(*(np.zeros(len(side), dtype=int) for side in (asks, asks, bids, bids)),
                         1, 1, 1)  # fmt: skip
    month = clear(
        *(layout, np.ones(len(asks)), np.array(asks), np.ones(len(bids)), np.array(bids)),
        *(np.zeros((1, 1, 1)), np.full((1, 1, 1), np.inf)),
    )
    b = board()
    b.learn(outcome(12.0, 11.5))
    b.learn(month)
    b.learn(month)
    assert month.status.tolist() == [[status]]
    assert b.price_usd_per_kg.item() == 12.0
    assert b.netback_usd_per_kg.item() == 11.5
    assert b.age_months.item() == 2
    assert not month.flow_t.any()


def test_the_trend_is_log_growth_and_the_long_price_a_slow_mean():
    b = board()
    b.learn(outcome(20.0, 11.0))
    assert np.isclose(b.trend_per_month.item(), np.log(1.1))
    assert b.long_price_usd_per_kg.item() == 15.0


def test_a_collapse_counts_as_a_bounded_trend():
    b = board()
    b.learn(outcome(1.0, 0.0))
    b.learn(outcome(1.0, 5.0))
    assert abs(b.trend_per_month.item()) <= 0.5


def test_no_price_is_published_below_zero():
    b = board()
    b.learn(outcome(-3.0, -4.0))
    assert b.price_usd_per_kg.item() == 0.0
    assert b.netback_usd_per_kg.item() == 0.0
