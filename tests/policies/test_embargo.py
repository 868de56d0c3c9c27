"""Embargoes on one destination."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.policies import Embargo
from rare_market.records import Records
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
