"""Emergency deliveries between members."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.model import RareEarthMarket
from rare_market.policies import RapidResponse
from rare_market.scenario import Scenario

GOOD, JPN, USA, AUS = "ndpr_oxide", "JPN", "USA", "AUS"


@pytest.fixture(scope="module")
def market() -> RareEarthMarket:
    return RareEarthMarket(Scenario(years=1))


def shipments(market: RareEarthMarket, **terms: float) -> list[tuple[str, str, float]]:
    """Shipments when Japan got 40 of its usual 100 t; Americans hold 200 t, Australians 100 t."""
    c = market.catalogue
    good, jpn, usa, aus = c.good(GOOD), *(c.place(p) for p in (JPN, USA, AUS))
    moved_t = np.zeros((13, len(c.goods), len(c.places), len(c.places)))
    moved_t[:, good, c.china, jpn] = 100.0
    moved_t[-1, good, c.china, jpn] = 40.0
    reserve_t = np.zeros((len(c.places), len(c.goods)))
    reserve_t[usa, good], reserve_t[aus, good] = 200.0, 100.0
    told = market.bulletin._replace(
        period=13, year=2025 + 1 / 12, moved_t=moved_t, reserve_t=reserve_t
    )
    releases = RapidResponse(**terms).amend(market.data.law, told).releases
    return [(c.places[r.holder], c.places[r.receiver], r.quantity_t[good]) for r in releases]


def test_half_of_what_is_missing_is_sent_by_those_who_hold_it(market):
    """60 % of a usual 95 t are missing: half of it comes two to one."""
    sent = shipments(market, met_share=0.5)
    assert sent == [(USA, JPN, pytest.approx(19.0)), (AUS, JPN, pytest.approx(9.5))]


def test_no_member_gives_more_than_its_part_of_a_reserve(market):
    """Five percent of 200 and of 100 t."""
    sent = shipments(market, met_share=1.0, most_given_share=0.05)
    assert sent == [(USA, JPN, pytest.approx(10.0)), (AUS, JPN, pytest.approx(5.0))]


def test_a_small_shortfall_sets_nothing_off(market):
    """Less than the trigger."""
    assert shipments(market, trigger_share=0.7) == []
