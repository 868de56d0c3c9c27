"""Tonnes and dollars are conserved in any world under any policies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rare_market.ledger import KIND
from rare_market.model import RareEarthMarket
from rare_market.policies import INSTRUMENTS, Policy
from rare_market.records import MASS_COLUMNS
from rare_market.scenario import Scenario
from tests.check_policies import check
from tests.policies.cases import BINDING

MASS_TOLERANCE_T = 1e-6
MONEY_TOLERANCE = 1e-12  # of turnover

worlds = st.fixed_dictionaries(
    {
        "replication": st.integers(0, 1000),
        "ask_stock_slope": st.floats(0.0, 0.6),
        "extrapolation_mean": st.floats(-0.5, 1.0),
        "bid_step_share": st.floats(0.05, 0.5),
        "stock_adjust_months": st.floats(2.0, 18.0),
        "stock_limit_months": st.floats(3.0, 20.0),
        "demand_growth_multiplier": st.floats(0.0, 3.0),
        "demand_shock_sd_share": st.floats(0.0, 0.2),
        "outage_per_year": st.floats(0.0, 3.0),
        "mothball_months": st.integers(1, 12),
        "cost_spread_share": st.floats(0.0, 0.3),
    }
)
START = 2024.25
CASES = sorted(INSTRUMENTS)
packages = st.lists(st.sampled_from(CASES), unique=True, max_size=5)


class Count(NamedTuple):
    """Tonnes as oxide by element, counted from the cohorts."""

    stock: np.ndarray
    mined_and_collected: np.ndarray
    consumed: np.ndarray
    lost: np.ndarray


def count(market: RareEarthMarket) -> Count:
    """Count every column that holds tonnes, trader by trader."""
    p, m, b, s = market.producers, market.processors, market.buyers, market.states
    x = market.merchants
    content = market.catalogue.composition_reo_t_per_t

    def held(good: np.ndarray, tonnes: np.ndarray) -> np.ndarray:
        return (content[good] * tonnes[:, None]).sum(axis=0)

    used_t = m.feed.coefficient * m.activity_t[m.feed.row]
    return Count(
        stock=held(p.good, p.inventory_t)
        + held(m.feed.good, m.feed_stock_t)
        + held(m.product.good, m.product_stock_t)
        + held(b.good, b.inventory_t)
        + held(x.good, x.inventory_t)
        + s.stockpile_t.sum(axis=0) @ content,
        mined_and_collected=held(p.good, p.output_t),
        consumed=held(b.good, b.consumed_t),
        lost=held(m.feed.good, used_t) - held(m.product.good, m.made_t) + held(x.good, x.lost_t),
    )


def cash(market: RareEarthMarket) -> np.ndarray:
    """Cash by kind (producers, processors) and place."""
    places = len(market.catalogue.places)
    return np.stack(
        [
            np.bincount(cohort.place, cohort.cash_usd, minlength=places)
            for cohort in (market.producers, market.processors)
        ]
    )


def check_month(market: RareEarthMarket, before: Count, cash_before: np.ndarray) -> None:
    """Step once and compare what the cohorts hold with what happened."""
    market.step()
    after, records, t = count(market), market.records, market.period - 1
    change = after.mined_and_collected - after.consumed - after.lost
    assert np.abs(after.stock - before.stock - change).max() < MASS_TOLERANCE_T
    assert (after.lost > -MASS_TOLERANCE_T).all()

    column = {name: records.mass[t, :, i] for i, name in enumerate(MASS_COLUMNS)}
    pairs = (
        (column["stock_t"], after.stock),
        (column["mined_t"] + column["collected_t"], after.mined_and_collected),
        (column["consumed_t"], after.consumed),
        (column["lost_t"], after.lost),
    )
    for recorded, counted in pairs:
        np.testing.assert_allclose(recorded, counted, rtol=1e-9, atol=MASS_TOLERANCE_T)

    p, m, b, s = market.producers, market.processors, market.buyers, market.states
    for tonnes in (
        p.inventory_t,
        p.output_t,
        p.sold_t,
        m.feed_stock_t,
        m.product_stock_t,
        m.activity_t,
        m.made_t,
        m.rejected_t,
        m.sold_t,
        b.inventory_t,
        b.consumed_t,
        b.shortage_t,
        b.bought_t,
        s.stockpile_t,
        records.flow_t[t],
        records.bought_t[t],
    ):
        assert tonnes.min() >= -1e-9
    assert np.isfinite(records.price_usd_per_kg[t]).all()
    assert (records.price_usd_per_kg[t] >= 0.0).all()

    balance = market.ledger.balance_usd
    turnover = np.abs(balance).sum()
    assert abs(market.ledger.imbalance_usd()) <= MONEY_TOLERANCE * turnover
    assert np.abs(balance.sum(axis=(0, 1))).max() <= MONEY_TOLERANCE * turnover
    earned = np.stack([balance[KIND[kind]].sum(axis=1) for kind in ("producer", "processor")])
    np.testing.assert_allclose(cash(market) - cash_before, earned, rtol=1e-9, atol=1e-9 * turnover)
    # carriers keep nothing, and final demand pays for all that buyers bought
    assert np.abs(balance[KIND["carrier"]].sum()) <= 1e-9 * turnover
    assert np.abs(balance[KIND["buyer"]].sum(axis=1)).max() <= 1e-9 * turnover
    assert records.gap_relative[t].max() <= 1e-9


def live(policies: list[Policy], months: int, **world: object) -> None:
    market = RareEarthMarket(Scenario(years=1, **world), policies)
    for _ in range(months):
        check_month(market, count(market), cash(market))


def package(names: list[str]) -> list[Policy]:
    return [INSTRUMENTS[name](start_year=START, **BINDING[name]) for name in names]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds, packages, st.integers(6, 12))
def test_tonnes_and_dollars_are_conserved_in_any_world(world, names, months):
    """Month by month, element by element, account by account."""
    live(package(names), months, **world)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds, packages)
def test_tonnes_and_dollars_are_conserved_in_many_worlds(world, names):
    """The same over a year of many more worlds."""
    live(package(names), 12, **world)


@pytest.mark.parametrize("name", CASES)
def test_tonnes_and_dollars_are_conserved_under_each_instrument(name):
    """A year in the default world, nine months of it under the instrument."""
    live(package([name]), 12)


@pytest.mark.parametrize("number", range(12))
def test_random_terms_of_random_instruments_make_and_lose_nothing(number):
    """A few of the ten thousand of ``python -m tests.check_policies 10000``."""
    assert check(number) == []
