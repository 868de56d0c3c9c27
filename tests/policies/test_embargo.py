"""Embargoes on one destination."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.model import RareEarthMarket
from rare_market.policies import Embargo
from rare_market.records import Records
from rare_market.scenario import Scenario
from tests.conftest import run

LEAK = 0.2


@pytest.fixture(scope="module")
def stopped() -> Records:
    return run([Embargo(start_year=2025.5, duration_years=0.25, leak_share=LEAK)], years=2)


def lane(records: Records) -> np.ndarray:
    """Flow from China to Japan, ``[month, good]``, contracts included."""
    c = records.catalogue
    return records.moved_t[:, :, c.china, c.place("JPN")]


def test_no_more_than_the_leak_gets_through_while_it_lasts(stopped):
    """A fifth of the mean of the year before, good by good."""
    goods = stopped.catalogue.of_stage("oxide") | stopped.catalogue.of_stage("metal")
    usual = lane(stopped)[6:18, goods].mean(axis=0)
    assert usual.sum() > 0.0
    assert (lane(stopped)[18:21, goods] <= LEAK * usual + 1e-6).all()
    assert (lane(stopped)[21:, goods].mean(axis=0) > LEAK * usual).any()


def test_goods_and_places_not_named_go_on_as_before(stopped):
    """Magnets still go to Japan, and oxides to Korea."""
    c = stopped.catalogue
    assert (lane(stopped)[18:21][:, c.of_stage("magnet")].sum(axis=1) > 0.0).all()
    oxides = stopped.moved_t[18:21][:, c.of_stage("oxide")]
    assert (oxides[:, :, c.china, c.place("USA")].sum(axis=1) > 0.0).all()


def test_without_a_leak_nothing_gets_through():
    """Not a gram."""
    closed = run([Embargo(start_year=2025.0, leak_share=0.0)], years=2)
    goods = closed.catalogue.of_stage("oxide") | closed.catalogue.of_stage("metal")
    assert lane(closed)[12:, goods].max() == 0.0


def test_the_price_in_the_place_cut_off_rises(stopped, short_run):
    """Japan pays more for dysprosium than without the embargo."""
    c = stopped.catalogue
    good, jpn = c.good("dy_oxide"), c.place("JPN")
    price = [r.price_usd_per_kg[18:21, good, jpn, 0].mean() for r in (stopped, short_run)]
    assert price[0] > price[1]


def test_what_is_diverted_goes_through_a_third_place_by_lanes_that_exist():
    """Chinese metal reaches Japan by way of Korea, at two freights and a month's delay.

    The merchant there buys no more than the part of usual trade that is diverted, and only once
    Japan pays for the detour.
    """
    stop = {"start_year": 2025.0, "duration_years": 1.0, "leak_share": 0.0}
    market = RareEarthMarket(Scenario(years=2), [Embargo(**stop, diversion_share=0.3)])
    c, x, carried_t = market.catalogue, market.merchants, []
    good, korea, japan = c.good("ndpr_metal"), c.place("KOR"), c.place("JPN")
    trader = x.resells & (x.good == good)
    assert x.place[trader].tolist() == [korea]
    for _ in range(24):
        market.step()
        carried_t.append(x.bought_t[trader].sum())
    moved_t = market.records.moved_t[:, good]
    assert max(carried_t[:12]) == 0.0
    assert 0.0 < max(carried_t) <= 0.3 * moved_t[:12, c.china, japan].mean() + 1e-6
    first = int(np.argmax(np.array(carried_t) > 1.0))
    price = market.records.price_usd_per_kg[first - 1, good, :, 0]
    assert price[japan] > price[korea]
    assert moved_t[first + 1 :, korea, japan].sum() > 0.0
    assert moved_t[first:, c.china, japan].sum() == 0.0
    shut = run([Embargo(**stop)], years=2)
    dearest = [r.price_usd_per_kg[-3:, good, japan, 0].max() for r in (market.records, shut)]
    assert dearest[0] < dearest[1]


def test_where_every_place_is_closed_there_is_no_way_round():
    """No third place is left to sell on from."""
    market = RareEarthMarket(Scenario(), [Embargo(destinations="any", diversion_share=1.0)])
    assert not market.merchants.resells.any()
