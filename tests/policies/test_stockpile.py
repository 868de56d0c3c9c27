"""Reserves: built in slumps, released on shortage, alone or joint."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.model import RareEarthMarket
from rare_market.policies import Embargo, Stockpile
from rare_market.scenario import Scenario
from tests.conftest import run

JPN, USA = "JPN", "USA"


@pytest.fixture(scope="module")
def market() -> RareEarthMarket:
    market = RareEarthMarket(Scenario(years=2))
    for _ in range(13):
        market.step()
    market.publish()
    return market


def test_a_gap_is_filled_over_the_months_of_building_and_in_slumps_only(market):
    """Sixty days of the year's deliveries, a 24th of it a month; nothing while prices are high."""
    c, told = market.catalogue, market.bulletin
    good, jpn = c.good("ndpr_metal"), c.place(JPN)
    usual_t = told.moved_t[-12:, good, :, jpn].sum() / 12
    buys = Stockpile(goods="ndpr_metal", buy_below_share=10.0, release_above_share=1.0)
    (purchase,) = buys.amend(market.data.law, told).purchases
    assert purchase.quantity_t[jpn, good] == pytest.approx(60.0 * 12 / 365 * usual_t / 24)
    assert np.count_nonzero(purchase.quantity_t) == 1
    waits = Stockpile(goods="ndpr_metal", buy_below_share=0.0)
    (purchase,) = waits.amend(market.data.law, told).purchases
    assert not purchase.quantity_t.any()


def test_alone_each_member_meets_its_own_shortage_and_jointly_all_do():
    """Japan lacks 30 t and holds 10, the United States hold 40 and lack nothing."""
    reserve_t, missing_t = np.zeros((3, 2)), np.zeros((3, 2))
    reserve_t[0, 0], reserve_t[1, 0], missing_t[0, 0] = 10.0, 40.0, 30.0
    (alone,) = Stockpile(joint=False).emergency(reserve_t, missing_t)
    assert (alone.holder, alone.receiver) == (0, 0)
    joint = Stockpile(joint=True).emergency(reserve_t, missing_t)
    assert [(r.holder, r.receiver, r.quantity_t[0]) for r in joint] == [
        (0, 0, pytest.approx(6.0)),
        (1, 0, pytest.approx(24.0)),
    ]


def test_a_joint_reserve_that_is_too_small_is_shared_by_need():
    """50 t for 60 and 40 missing."""
    reserve_t = np.array([[50.0], [0.0]])
    missing_t = np.array([[60.0], [40.0]])
    releases = Stockpile(joint=True).emergency(reserve_t, missing_t)
    assert [r.quantity_t[0] for r in releases] == pytest.approx([30.0, 20.0])


def test_an_embargo_opens_the_reserve():
    """Japan cut off from Chinese metal releases what it had built."""
    pile = Stockpile(start_year=2024.0, goods="ndpr_metal", buy_below_share=10.0, build_months=6.0)
    cut = Embargo(start_year=2025.5, duration_years=0.5, leak_share=0.0)
    market = RareEarthMarket(Scenario(years=2), [pile, cut])
    c = market.catalogue
    at = (c.place(JPN), c.good("ndpr_metal"))
    held = []
    for _ in range(24):
        market.step()
        held.append(market.states.reserve_t[at])
    assert held[17] > 0.0
    assert min(held[19:24]) < 0.5 * held[17]


def test_rotation_sells_and_buys_again():
    """A reserve turned over twice a year trades more than one that lies."""
    terms = {"start_year": 2024.0, "buy_below_share": 10.0, "build_months": 2.0}
    turned, still = (
        run([Stockpile(**terms, rotation_per_year=rate)], years=2) for rate in (2.0, 0.0)
    )
    c = turned.catalogue
    at = (slice(12, None), c.good("ndpr_metal"), c.place(JPN), 1)
    assert turned.bought_t[at].sum() > 1.3 * still.bought_t[at].sum() > 0.0


def test_public_stock_drives_out_private_stock():
    """Sellers hold less where states buy in the slump, on average over three years."""
    pile = Stockpile(
        start_year=2024.0, members="allied", joint=True, goods="ndpr_oxide+ndpr_metal",
        cover_days=720.0, build_months=12.0, buy_below_share=10.0, release_above_share=1.0,
        buys="open",
    )  # fmt: skip
    private = []
    for policies in ([], [pile]):
        market = RareEarthMarket(Scenario(years=3), policies)
        goods = [market.catalogue.good(g) for g in ("ndpr_oxide", "ndpr_metal")]
        public_t = []
        while market.period < 36:
            market.step()
            public_t.append(market.states.stockpile_t[:, goods].sum())
        total_t = market.records.stock_t[:, goods].sum(axis=(1, 2))
        private.append((total_t - public_t).mean())
    assert private[1] < private[0]
