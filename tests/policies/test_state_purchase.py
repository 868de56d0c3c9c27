"""States that buy at a floor."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.goods import BUYER_CLASSES
from rare_market.policies import StatePurchase
from rare_market.records import Records
from tests.conftest import run

FLOOR = 80.0


def bought(records: Records, buys: str) -> tuple[np.ndarray, np.ndarray]:
    """Tonnes and price of purchases of NdPr oxide in the United States by class, by month."""
    c = records.catalogue
    at = (slice(None), c.good("ndpr_oxide"), c.place("USA"), BUYER_CLASSES.index(buys))
    return records.bought_t[at], records.paid_usd[at] / 1000.0


def stock_t(records: Records) -> np.ndarray:
    c = records.catalogue
    return records.stock_t[:, c.good("ndpr_oxide"), c.place("USA")]


def test_it_buys_no_more_than_its_volume_and_never_above_the_floor():
    """120 t a month at most, at 80 USD/kg at most, of its own place."""
    records = run(
        [StatePurchase(start_year=2024.0, floor_usd_per_kg=FLOOR, volume_t_per_year=1440)]
    )
    tonnes, paid = bought(records, "domestic")
    assert 0.0 < tonnes.max() <= 120.0 + 1e-9
    assert (paid <= FLOOR * tonnes + 1e-6).all()
    c = records.catalogue
    assert stock_t(records)[-1] >= tonnes.sum()
    assert (records.flow_t[:, c.good("ndpr_oxide"), c.place("USA"), c.place("USA")] > 0.0).any()


def test_a_budget_ends_it():
    """Twenty million are spent and not a cent more."""
    records = run([StatePurchase(start_year=2024.0, budget_musd=20.0)])
    _, paid = bought(records, "domestic")
    assert 19e6 < 1000.0 * paid.sum() <= 20e6 + 0.01
    assert 1000.0 * paid[-1] < 1.0


def test_an_open_unlimited_bid_buys_chinese_goods_and_a_domestic_one_none():
    """The same floor, open to every origin: most of what comes is Chinese."""
    share = {}
    for buys in ("open", "domestic"):
        policy = StatePurchase(
            start_year=2024.0, floor_usd_per_kg=FLOOR, buys=buys, volume_t_per_year=1e5
        )
        records = run([policy], years=2)
        c = records.catalogue
        flow_t = records.flow_t[:, c.good("ndpr_oxide"), :, c.place("USA")].sum(axis=0)
        share[buys] = flow_t[c.china] / flow_t.sum()
    assert share["open"] > 0.5
    assert share["domestic"] == pytest.approx(0.0, abs=0.01)
